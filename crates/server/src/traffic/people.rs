//! Who orders in the demo: the seeded customers, and the seeded clients with their drivers.

use model::command::{Actor, Scope};
use model::ids::{Owner, PartyId, TenantId};
use model::role::Role;
use store::PartyKind;
use store::accounts::UserRef;

use crate::engine::{Failure, Handle};
use crate::http::orders::details::Customer;

/// Who orders deliveries and meals.
pub(super) struct Buyer {
    pub(super) owner: Owner,
    pub(super) actor: Actor,
    pub(super) shown: Customer,
}

/// Whose orders drivers carry.
pub(super) struct Merchant {
    pub(super) owner: Owner,
    pub(super) actor: Actor,
    pub(super) driver: Actor,
    pub(super) name: &'static str,
}

impl Buyer {
    pub(super) async fn named(handle: &Handle, name: &str) -> Result<Self, Failure> {
        let customer = handle.party(PartyKind::Customer, name).await?;
        let party = handle.party(PartyKind::Principal, name).await?;
        let (store, username) = (handle.store().clone(), name.to_owned());
        let read = move || store.reading(|reader| reader.user(UserRef::Username(&username)));
        let user = tokio::task::spawn_blocking(read).await;
        // One that is not seeded is known by name.
        let user = user.ok().and_then(Result::ok).flatten();
        Ok(Self {
            owner: owner(PartyId::NOBODY, customer),
            actor: Actor {
                party,
                role: Role::Customer,
                scope: Scope::Customer(customer),
            },
            shown: Customer {
                name: user
                    .as_ref()
                    .map_or_else(|| name.into(), |user| user.name.clone()),
                contact: user.map(|user| user.email),
            },
        })
    }
}

impl Merchant {
    pub(super) async fn named(
        handle: &Handle,
        name: &'static str,
        user: &str,
        driver: &str,
    ) -> Result<Self, Failure> {
        let client = handle.party(PartyKind::Client, name).await?;
        let parties = handle.parties(PartyKind::Principal, &[user, driver]).await?;
        let [user, driver] = parties[..] else {
            return Err(Failure::Internal);
        };
        let actor = |party, role| Actor {
            party,
            role,
            scope: Scope::Client(client),
        };
        Ok(Self {
            owner: owner(client, PartyId::NOBODY),
            actor: actor(user, Role::Client),
            driver: actor(driver, Role::Driver),
            name,
        })
    }
}

fn owner(client: PartyId, customer: PartyId) -> Owner {
    Owner {
        tenant: TenantId::default(),
        client,
        customer,
    }
}
