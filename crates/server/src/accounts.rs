//! Temporary.
#![allow(missing_docs)]
use crate::engine::{Failure, Handle};
use crate::settings::Secret;
use model::role::Role;
use store::accounts::User;

pub async fn seed_demo(handle: &Handle) -> Result<(), Failure> {
    let now = handle.clock().now();
    for (name, role, client) in [
        ("admin_user", Role::Admin, None),
        ("operator_user", Role::Operator, None),
        ("client_user_001", Role::Client, Some("client_001")),
        ("client_user_002", Role::Client, Some("client_002")),
        ("driver_user_001", Role::Driver, Some("client_001")),
        ("driver_user_002", Role::Driver, Some("client_002")),
        ("customer_user_001", Role::Customer, None),
        ("customer_user_002", Role::Customer, None),
    ] {
        let user = User {
            user_id: format!("usr_{name}").into(),
            username: name.into(),
            email: format!("{name}@example.com").into(),
            name: name.into(),
            password_hash: crate::http::hash_now("password123").unwrap(),
            role,
            client: client.map(Into::into),
            disabled: false,
            sessions_valid_from: now,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        handle
            .with_writer(move |writer| {
                let mut a = writer.accounts()?;
                a.insert_user(&user)?.ok();
                a.commit()
            })
            .await?;
    }
    Ok(())
}
pub struct Generated;
impl Generated {
    pub fn tell(&self) {}
}
pub async fn first_admin(
    _: &Handle,
    _: Option<&str>,
    _: Option<&Secret>,
) -> Result<Option<Generated>, Failure> {
    Ok(None)
}
