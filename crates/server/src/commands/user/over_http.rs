//! Users of a running server, as one of its admins.

use model::role::Role;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::Problem;
use crate::accounts::Wish;
use crate::client::{Access, Client, Post, ServerUrl, TOKEN_VARIABLE};
use crate::settings::Secret;

/// Users asked for at a time: as many as the server gives.
const PAGE: u32 = 500;

/// A server, and an admin's token for it.
pub(super) struct OverHttp(Client);

#[derive(Deserialize)]
struct UserPage {
    data: Vec<User>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct User {
    user_id: String,
    username: String,
    email: String,
}

#[derive(Deserialize)]
struct Made {
    user_id: String,
}

impl OverHttp {
    pub(super) async fn connect(url: &ServerUrl) -> Result<Self, Problem> {
        let access = Access::from_environment()?;
        if !matches!(access, Access::Given(_)) {
            return Err(format!("set {TOKEN_VARIABLE} to an admin's token or API key").into());
        }
        Ok(Self(Client::connect(url.clone(), access).await?))
    }

    /// Signs the user up, and then gives it its role.
    pub(super) async fn add(&self, wish: &Wish<'_>) -> Result<(), Problem> {
        // Whoever may not do the second must not begin with the first.
        self.0.get_json::<IgnoredAny>("/auth/users?limit=1").await?;
        let mut user = json!({"username": wish.username, "password": wish.password, "name": wish.name});
        if let Some(email) = wish.email {
            user["email"] = json!(email);
        }
        let post = Post {
            path: "/api/v1/users",
            body: user.to_string().into(),
            idempotency_key: None,
            wait_s: None,
        };
        let made: Made = self.0.post_json(&post).await?.body;
        if wish.role == Role::Customer {
            return Ok(());
        }
        let mut change = json!({"role": wish.role.name()});
        if let Some(client) = wish.client {
            change["client_id"] = json!(client);
        }
        let changed = self.change(&made.user_id, &change).await;
        changed.map_err(|error| format!("the user was made, but as a customer: {error}").into())
    }

    pub(super) async fn set_password(&self, login: &str, password: &Secret) -> Result<(), Problem> {
        let user_id = self.id_of(login).await?;
        self.change(&user_id, &json!({"password": password.expose()}))
            .await
    }

    pub(super) async fn disable(&self, login: &str) -> Result<(), Problem> {
        let user_id = self.id_of(login).await?;
        self.change(&user_id, &json!({"disabled": true})).await
    }

    async fn change(&self, user_id: &str, change: &Value) -> Result<(), Problem> {
        let path = format!("/api/v1/users/{user_id}");
        let _: IgnoredAny = self.0.put_json(&path, change.to_string().into()).await?;
        Ok(())
    }

    /// The id of a user, by username or e-mail address.
    async fn id_of(&self, login: &str) -> Result<String, Problem> {
        let email = login.to_lowercase();
        let mut by_email = None;
        let mut path = format!("/auth/users?limit={PAGE}");
        loop {
            let page: UserPage = self.0.get_json(&path).await?;
            for user in page.data {
                if user.username == login {
                    return Ok(user.user_id);
                }
                if user.email == email {
                    by_email = Some(user.user_id);
                }
            }
            match page.next_cursor {
                Some(cursor) => path = format!("/auth/users?limit={PAGE}&cursor={cursor}"),
                None => return by_email.ok_or_else(|| format!("there is no user {login}").into()),
            }
        }
    }
}
