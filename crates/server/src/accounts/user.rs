//! Making a user.

use model::role::Role;
use model::time::Timestamp;
use serde_json::{Value, json};
use store::Error;
use store::accounts::{Accounts, Taken, User, UserRef};

use super::random::{NoRandom, fresh_id};
use super::rules::{
    BrokenRule, client_problem, email_problem, name_problem, password_problem, username_problem,
};
use super::trail::{By, Entity, States};

/// The domain of the addresses of users who gave none: no mail ever goes there (RFC 2606).
const NO_MAIL_DOMAIN: &str = "example.invalid";

/// What is said of a user who is to be made.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// What it signs in with; the e-mail address if not given.
    pub username: Option<&'a str>,
    /// If not given: the username if that is one, or else one that no mail reaches.
    pub email: Option<&'a str>,
    /// To be shown.
    pub name: &'a str,
    /// What it may do.
    pub role: Role,
    /// The client it belongs to: of clients and drivers, and of nobody else.
    pub client: Option<&'a str>,
    /// Looked at, not kept.
    pub password: &'a str,
}

/// A user who is allowed, and not made yet.
#[derive(Clone, Debug)]
pub struct NewUser {
    user_id: Box<str>,
    username: Box<str>,
    email: Box<str>,
    name: Box<str>,
    role: Role,
    client: Option<Box<str>>,
}

impl NewUser {
    /// Checks what is wished. All that is wrong is named.
    ///
    /// # Errors
    /// The inner one: rules that are broken. The outer one: no random numbers for an id.
    pub fn check(wish: &Wish<'_>) -> Result<Result<Self, Vec<BrokenRule>>, NoRandom> {
        let (username, email) = match (wish.username, wish.email) {
            (Some(username), Some(email)) => (username.to_owned(), email.to_lowercase()),
            (None, Some(email)) => (email.to_lowercase(), email.to_lowercase()),
            (Some(address), None) if address.contains('@') => {
                (address.to_lowercase(), address.to_lowercase())
            }
            (Some(username), None) => (
                username.to_owned(),
                format!("{}@{NO_MAIL_DOMAIN}", username.to_lowercase()),
            ),
            (None, None) => {
                let message = "is required, or email in its place";
                return Ok(Err(vec![BrokenRule::new("username", "required", message)]));
            }
        };
        let mut broken: Vec<BrokenRule> = Vec::new();
        // Of a name that is its own address, or from which one was made, the address is told only if the name is allowed.
        broken.extend(wish.email.and_then(|_| email_problem(&email)));
        if broken.is_empty() || wish.username.is_some() {
            broken.extend(username_problem(&username, &email));
        }
        if broken.is_empty() {
            broken.extend(email_problem(&email));
        }
        broken.extend(name_problem(wish.name));
        broken.extend(password_problem(wish.password, &username));
        broken.extend(client_problem(wish.role, wish.client));
        if !broken.is_empty() {
            return Ok(Err(broken));
        }
        Ok(Ok(Self {
            user_id: fresh_id("usr_")?,
            username: username.into(),
            email: email.into(),
            name: wish.name.into(),
            role: wish.role,
            client: wish.client.map(Into::into),
        }))
    }

    /// What it will sign in with.
    #[must_use]
    pub const fn username(&self) -> &str {
        &self.username
    }

    /// Stores it with its record in the trail, if neither name nor address is taken.
    pub(crate) fn insert(
        &self,
        accounts: &mut dyn Accounts,
        password_hash: Box<str>,
        now: Timestamp,
        by: &By,
    ) -> Result<Result<User, Taken>, Error> {
        let user = User {
            user_id: self.user_id.clone(),
            username: self.username.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
            password_hash,
            role: self.role,
            client: self.client.clone(),
            disabled: false,
            // None was ended yet. By the time of its making, a token of an outside issuer would be void whose `iat` is in whole seconds.
            sessions_valid_from: Timestamp::default(),
            kept_token: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        if let Some(taken) = taken_by_another(accounts, &user)? {
            return Ok(Err(taken));
        }
        if let Err(taken) = accounts.insert_user(&user)? {
            return Ok(Err(taken));
        }
        let states = States {
            before: None,
            after: Some(shown(&user)),
        };
        let record = by.record("user.create", Entity::User, &user.user_id, &states, now);
        accounts.append_audit(&record)?;
        Ok(Ok(user))
    }
}

/// Whether another user has the name or the address, as whichever of the two: who signs in may use either.
pub(crate) fn taken_by_another(accounts: &mut dyn Accounts, user: &User) -> Result<Option<Taken>, Error> {
    for (login, taken) in [(&user.username, Taken::Username), (&user.email, Taken::Email)] {
        let found = accounts.user(UserRef::Login(login))?;
        if found.is_some_and(|found| found.user_id != user.user_id) {
            // Of an address that was made from the name, nobody knows.
            let is_made_up = user.email.ends_with(NO_MAIL_DOMAIN);
            return Ok(Some(if is_made_up { Taken::Username } else { taken }));
        }
    }
    Ok(None)
}

/// A user as the trail and the lists have it: without its hash.
pub(crate) fn shown(user: &User) -> Value {
    json!({
        "user_id": user.user_id,
        "username": user.username,
        "email": user.email,
        "name": user.name,
        "role": user.role.name(),
        "client_id": user.client,
        "disabled": user.disabled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Wish<'static> = Wish {
        username: Some("ann"),
        email: Some("Ann@Example.com"),
        name: "Ann",
        role: Role::Customer,
        client: None,
        password: "correct horse",
    };

    fn check(wish: &Wish<'_>) -> Result<(String, String), Vec<&'static str>> {
        match NewUser::check(wish).unwrap() {
            Ok(user) => Ok((user.username.into(), user.email.into())),
            Err(broken) => Err(broken.into_iter().map(|rule| rule.field).collect()),
        }
    }

    fn pair(username: &str, email: &str) -> Result<(String, String), Vec<&'static str>> {
        Ok((username.to_owned(), email.to_owned()))
    }

    #[test]
    fn what_is_not_said_of_name_and_address_follows_from_the_other() {
        assert_eq!(check(&ANN), pair("ann", "ann@example.com"));
        let by_email = Wish {
            username: None,
            ..ANN
        };
        assert_eq!(check(&by_email), pair("ann@example.com", "ann@example.com"));
        let by_name = Wish {
            email: None,
            username: Some("Ann"),
            ..ANN
        };
        assert_eq!(check(&by_name), pair("Ann", "ann@example.invalid"));
        let by_address = Wish {
            email: None,
            username: Some("Ann@Example.com"),
            ..ANN
        };
        assert_eq!(check(&by_address), pair("ann@example.com", "ann@example.com"));
    }

    #[test]
    fn every_broken_rule_is_named_and_none_twice() {
        let nothing = Wish {
            username: None,
            email: None,
            ..ANN
        };
        assert_eq!(check(&nothing), Err(vec!["username"]));
        let bad = Wish {
            username: Some("a b"),
            email: Some("nowhere"),
            name: "",
            role: Role::Client,
            client: None,
            password: "short",
        };
        assert_eq!(
            check(&bad),
            Err(vec!["email", "username", "name", "password", "client_id"])
        );
        let bad_email = Wish {
            username: None,
            email: Some("nowhere"),
            ..ANN
        };
        assert_eq!(check(&bad_email), Err(vec!["email"]));
        let bad_name = Wish {
            username: Some("a b"),
            email: None,
            ..ANN
        };
        assert_eq!(check(&bad_name), Err(vec!["username"]));
    }
}
