//! The users of a demonstration.

use model::role::Role;
use store::accounts::UserRef;

use super::AccountError;
use super::limits::HASHES_AT_ONCE;
use super::passwords::hash_now;
use super::trail::By;
use super::user::{NewUser, Wish};
use crate::engine::Handle;

/// The password of every seeded user: public.
const PASSWORD: &str = "password123";

/// Username, role and client of each (wire contract §7).
const USERS: [(&str, Role, Option<&str>); 8] = [
    ("admin_user", Role::Admin, None),
    ("operator_user", Role::Operator, None),
    ("client_user_001", Role::Client, Some("client_001")),
    ("client_user_002", Role::Client, Some("client_002")),
    ("driver_user_001", Role::Driver, Some("client_001")),
    ("driver_user_002", Role::Driver, Some("client_002")),
    ("customer_user_001", Role::Customer, None),
    ("customer_user_002", Role::Customer, None),
];

/// Makes the seeded users that are not there yet, all with the password `password123`: those that are there stay as they are.
///
/// # Errors
/// [`AccountError`]; nothing was made then.
pub async fn seed_demo(engine: &Handle) -> Result<(), AccountError> {
    let store = engine.store().clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut missing = Vec::new();
        for (username, role, client) in USERS {
            let email = format!("{username}@example.com");
            let is_there = store.reading(|reader| {
                let by_name = reader.user(UserRef::Login(username))?;
                Ok(by_name.is_some() || reader.user(UserRef::Login(&email))?.is_some())
            })?;
            if !is_there {
                let wish = Wish {
                    username: Some(username),
                    email: Some(&email),
                    name: username,
                    role,
                    client,
                    password: PASSWORD,
                };
                missing.push(NewUser::check(&wish)?.map_err(AccountError::Rules)?);
            }
        }
        hashed(missing)
    });
    let users = work
        .await
        .map_err(|_| AccountError::Store("the users to seed could not be prepared".to_owned()))??;
    if users.is_empty() {
        return Ok(());
    }
    let now = engine.clock().now();
    let made = engine.with_writer(move |writer| {
        let mut accounts = writer.accounts()?;
        for (user, hash) in users {
            // One that is taken by now was made by another node that started at the same time.
            drop(user.insert(&mut *accounts, hash, now, &By::system())?);
        }
        accounts.commit()
    });
    Ok(made.await?)
}

/// Each with a hash of its own, on a few threads at once.
fn hashed(users: Vec<NewUser>) -> Result<Vec<(NewUser, Box<str>)>, AccountError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.clamp(1, HASHES_AT_ONCE);
    let share = users.len().div_ceil(threads).max(1);
    let hashes: Option<Vec<Box<str>>> = std::thread::scope(|scope| {
        let shares: Vec<_> = users
            .chunks(share)
            .map(|users| scope.spawn(|| users.iter().map(|_| hash_now(PASSWORD)).collect::<Vec<_>>()))
            .collect();
        let done = shares.into_iter().map(|share| share.join().unwrap_or_default());
        done.flatten().collect()
    });
    let hashes = hashes.filter(|hashes| hashes.len() == users.len());
    let hashes = hashes.ok_or_else(|| AccountError::Store("passwords could not be hashed".to_owned()))?;
    Ok(users.into_iter().zip(hashes).collect())
}
