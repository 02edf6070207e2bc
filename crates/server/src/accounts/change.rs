//! Changing a user.

use model::role::Role;
use model::time::Timestamp;
use serde_json::json;
use store::Error;
use store::accounts::{Accounts, Taken, User};

use super::rules::{BrokenRule, client_problem};
use super::trail::{By, Entity, States};
use super::user::{shown, taken_by_another};

/// Sessions are told apart by the millisecond.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// What is to be other than it is; the rest stays. Texts have been checked by their rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserChange {
    pub(crate) name: Option<Box<str>>,
    /// In lower case.
    pub(crate) email: Option<Box<str>>,
    pub(crate) password_hash: Option<Box<str>>,
    pub(crate) role: Option<Role>,
    /// A role that has none loses it without a word here.
    pub(crate) client: Option<Box<str>>,
    pub(crate) disabled: Option<bool>,
    /// The id of the token that asks, where users change their own password: that session goes on.
    pub(crate) kept_token: Option<Box<str>>,
}

/// Why a user stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unchangeable {
    /// Another has the address.
    Taken(Taken),
    /// The client does not go with the role.
    Rule(BrokenRule),
}

impl UserChange {
    /// Makes the change, with its record in the trail. What role, client or password would allow no more, or the user being shut
    /// out, ends every session there is, but for the one that is kept beside a new password and nothing else. A change that
    /// changes nothing leaves no trace.
    pub(crate) fn make(
        self,
        accounts: &mut dyn Accounts,
        user: &User,
        now: Timestamp,
        by: &By,
    ) -> Result<Result<User, Unchangeable>, Error> {
        let has_new_password = self.password_hash.is_some();
        let kept_token = self.kept_token.clone();
        let mut changed = match self.applied_to(user) {
            Ok(changed) => changed,
            Err(rule) => return Ok(Err(Unchangeable::Rule(rule))),
        };
        if changed == *user {
            return Ok(Ok(changed));
        }
        if changed.email != user.email
            && let Some(taken) = taken_by_another(accounts, &changed)?
        {
            return Ok(Err(Unchangeable::Taken(taken)));
        }
        end_sessions(&mut changed, user, kept_token, now);
        changed.updated_at = now;
        changed.version = user.version.saturating_add(1);
        if let Err(taken) = accounts.update_user(&changed)? {
            return Ok(Err(Unchangeable::Taken(taken)));
        }
        let action = match (user.disabled, changed.disabled) {
            (false, true) => "user.disable",
            (true, false) => "user.enable",
            (true, true) | (false, false) => "user.update",
        };
        let mut after = shown(&changed);
        if let Some(members) = after.as_object_mut().filter(|_| has_new_password) {
            members.insert("password_changed".to_owned(), json!(true));
        }
        let states = States {
            before: Some(shown(user)),
            after: Some(after),
        };
        accounts.append_audit(&by.record(action, Entity::User, &user.user_id, &states, now))?;
        Ok(Ok(changed))
    }

    fn applied_to(self, user: &User) -> Result<User, BrokenRule> {
        let mut changed = user.clone();
        if let Some(name) = self.name {
            changed.name = name;
        }
        if let Some(email) = self.email {
            changed.email = email;
        }
        if let Some(password_hash) = self.password_hash {
            changed.password_hash = password_hash;
        }
        if let Some(disabled) = self.disabled {
            changed.disabled = disabled;
        }
        if self.role.is_some() || self.client.is_some() {
            changed.role = self.role.unwrap_or(user.role);
            let kept = match changed.role {
                Role::Client | Role::Driver => user.client.clone(),
                Role::Customer | Role::Operator | Role::Admin | Role::System => None,
            };
            changed.client = self.client.or(kept);
            match client_problem(changed.role, changed.client.as_deref()) {
                Some(rule) => return Err(rule),
                None => return Ok(changed),
            }
        }
        Ok(changed)
    }
}

/// Ends the sessions of a user, if what let them in has changed. What a session may do is its token's: only a new password, by
/// itself, leaves that as it was.
fn end_sessions(changed: &mut User, user: &User, kept_token: Option<Box<str>>, now: Timestamp) {
    let may_do_the_same =
        (changed.role, &changed.client, changed.disabled) == (user.role, &user.client, user.disabled);
    if may_do_the_same && changed.password_hash == user.password_hash {
        return;
    }
    changed.sessions_valid_from = after_all_sessions(user, now);
    changed.kept_token = kept_token.filter(|_| may_do_the_same);
}

/// From when sessions count, if none that there is now is to count any more: also of those that began in this millisecond, or, by a
/// clock that was set back, later.
fn after_all_sessions(user: &User, now: Timestamp) -> Timestamp {
    let latest = now.max(user.sessions_valid_from).as_nanos();
    let millis = latest.div_euclid(NANOS_PER_MILLI).saturating_add(1);
    Timestamp::from_nanos(millis.saturating_mul(NANOS_PER_MILLI))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        User {
            user_id: "usr_1".into(),
            username: "dan".into(),
            email: "dan@example.com".into(),
            name: "Dan".into(),
            password_hash: "hash".into(),
            role: Role::Driver,
            client: Some("client_001".into()),
            disabled: false,
            sessions_valid_from: Timestamp::from_nanos(5_000_000),
            kept_token: None,
            created_at: Timestamp::from_nanos(5_000_000),
            updated_at: Timestamp::from_nanos(5_000_000),
            version: 1,
        }
    }

    fn role_and_client(change: UserChange) -> Result<(Role, Option<Box<str>>), &'static str> {
        let changed = change.applied_to(&user()).map_err(|rule| rule.code)?;
        Ok((changed.role, changed.client))
    }

    #[test]
    fn the_client_goes_with_the_role() {
        let change = |role, client: Option<&str>| {
            role_and_client(UserChange {
                role,
                client: client.map(Into::into),
                ..UserChange::default()
            })
        };
        assert_eq!(
            change(Some(Role::Client), None),
            Ok((Role::Client, Some("client_001".into())))
        );
        assert_eq!(change(None, Some("c-2")), Ok((Role::Driver, Some("c-2".into()))));
        assert_eq!(change(Some(Role::Operator), None), Ok((Role::Operator, None)));
        assert_eq!(change(Some(Role::Operator), Some("c-2")), Err("value"));
    }

    #[test]
    fn a_session_is_kept_beside_a_new_password_and_nothing_else() {
        let kept = |change: UserChange| {
            let before = User {
                kept_token: Some("earlier".into()),
                ..user()
            };
            let mut changed = change.clone().applied_to(&before).unwrap();
            end_sessions(&mut changed, &before, change.kept_token, before.updated_at);
            changed.kept_token
        };
        let by_itself = UserChange {
            password_hash: Some("other".into()),
            kept_token: Some("asking".into()),
            ..UserChange::default()
        };
        assert_eq!(kept(by_itself.clone()).as_deref(), Some("asking"));
        let by_another = UserChange {
            kept_token: None,
            ..by_itself.clone()
        };
        assert_eq!(kept(by_another), None);
        let with_a_client = UserChange {
            client: Some("client_002".into()),
            ..by_itself
        };
        assert_eq!(kept(with_a_client), None);
        let of_a_name = UserChange {
            name: Some("Daniel".into()),
            ..UserChange::default()
        };
        assert_eq!(kept(of_a_name).as_deref(), Some("earlier"));
    }

    #[test]
    fn sessions_of_the_same_millisecond_end_and_so_do_those_from_a_later_clock() {
        let valid_from = |now| after_all_sessions(&user(), Timestamp::from_nanos(now)).as_nanos();
        assert_eq!(valid_from(7_000_000), 8_000_000);
        assert_eq!(valid_from(7_999_999), 8_000_000);
        assert_eq!(valid_from(1_000_000), 6_000_000);
    }
}
