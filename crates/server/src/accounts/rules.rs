//! What may be said of a user.

use std::fmt;

use model::role::Role;

use super::limits::{EMAIL_CHARS, NAME_CHARS, PASSWORD_CHARS};

/// What usernames may not begin with: the subjects of API keys do.
const KEY_PREFIX: &str = "key:";

/// One thing that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    /// Of which field, as the wire contract calls it.
    pub field: &'static str,
    /// `required`, `length`, `format` or `value`.
    pub code: &'static str,
    /// What it must be.
    pub message: String,
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.field, self.message)
    }
}

impl BrokenRule {
    pub(super) fn new(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            code,
            message: message.into(),
        }
    }
}

/// A username with an `@` must be the user's own e-mail address, in lower case: who signs in with an address then means the one user
/// who has it.
pub(super) fn username_problem(username: &str, email: &str) -> Option<BrokenRule> {
    let broken = |code, message: &str| Some(BrokenRule::new("username", code, message));
    if let Some(problem) = length_problem("username", username, NAME_CHARS) {
        return Some(problem);
    }
    if !username.chars().all(is_visible) {
        return broken("format", "must be of visible characters, without spaces");
    }
    if username.starts_with(KEY_PREFIX) {
        return broken("value", "must not begin with `key:`: API keys are called so");
    }
    if username.contains('@') && username != email {
        return broken(
            "value",
            "must have no @, or be the user's own email in lower case",
        );
    }
    None
}

/// Of an address in lower case.
pub(crate) fn email_problem(email: &str) -> Option<BrokenRule> {
    if let Some(problem) = length_problem("email", email, EMAIL_CHARS) {
        return Some(problem);
    }
    let parts: Vec<&str> = email.split('@').collect();
    let is_address = matches!(parts.as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty());
    (!is_address || !email.chars().all(is_visible)).then(|| {
        let message = "must be an address such as name@example.com, without spaces";
        BrokenRule::new("email", "format", message)
    })
}

pub(crate) fn name_problem(name: &str) -> Option<BrokenRule> {
    if let Some(problem) = length_problem("name", name, NAME_CHARS) {
        return Some(problem);
    }
    let is_blank = name.trim().is_empty();
    (is_blank || name.chars().any(char::is_control))
        .then(|| BrokenRule::new("name", "format", "must be a name, without control characters"))
}

/// Of the password of this user, under the field that brings it.
pub(crate) fn password_problem(password: &str, username: &str) -> Option<BrokenRule> {
    let found = password.chars().count();
    if !PASSWORD_CHARS.contains(&found) {
        let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
        let message = format!("must have {least} to {most} characters, this has {found}");
        return Some(BrokenRule::new("password", "length", message));
    }
    if password.trim().is_empty() {
        return Some(BrokenRule::new("password", "value", "must not be blank"));
    }
    (password.to_lowercase() == username.to_lowercase())
        .then(|| BrokenRule::new("password", "value", "must not be the username"))
}

/// Of the client that a user or key of this role belongs to.
pub(crate) fn client_problem(role: Role, client: Option<&str>) -> Option<BrokenRule> {
    match (role, client) {
        (Role::Client | Role::Driver, None) => Some(BrokenRule::new(
            "client_id",
            "required",
            format!("is required for the role {}", role.name()),
        )),
        (Role::Client | Role::Driver, Some(client)) => client_id_problem(client),
        (Role::Customer | Role::Operator | Role::Admin | Role::System, Some(_)) => Some(BrokenRule::new(
            "client_id",
            "value",
            format!("must not be given for the role {}", role.name()),
        )),
        (Role::Customer | Role::Operator | Role::Admin | Role::System, None) => None,
    }
}

/// Of a client's id alone.
pub(crate) fn client_id_problem(client: &str) -> Option<BrokenRule> {
    if let Some(problem) = length_problem("client_id", client, NAME_CHARS) {
        return Some(problem);
    }
    let is_text = !client.trim().is_empty() && !client.chars().any(char::is_control);
    (!is_text).then(|| {
        let message = "must be a client's id, without control characters";
        BrokenRule::new("client_id", "format", message)
    })
}

fn length_problem(field: &'static str, text: &str, most_chars: usize) -> Option<BrokenRule> {
    let found = text.chars().count();
    (!(1..=most_chars).contains(&found)).then(|| {
        let message = format!("must have 1 to {most_chars} characters, this has {found}");
        BrokenRule::new(field, "length", message)
    })
}

/// Whether a reader sees the character: names that look alike must not be two.
fn is_visible(letter: char) -> bool {
    let unseen = matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !letter.is_whitespace() && !letter.is_control() && !unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(problem: Option<BrokenRule>) -> Option<&'static str> {
        problem.map(|problem| problem.code)
    }

    #[test]
    fn a_username_is_of_visible_characters_and_no_keys() {
        let check = |username: &str| code(username_problem(username, "ann@example.com"));
        for good in ["a", "ann", "Zoë-7", "ann@example.com", &"x".repeat(200)] {
            assert_eq!(check(good), None, "{good}");
        }
        assert_eq!(check(""), Some("length"));
        assert_eq!(check(&"x".repeat(201)), Some("length"));
        for bad in [
            "a b",
            " ann",
            "a\tb",
            "a\0",
            "a\u{200b}b",
            "\u{202e}nna",
            "a\u{a0}",
        ] {
            assert_eq!(check(bad), Some("format"), "{bad:?}");
        }
        for bad in ["key:7", "bob@example.com", "Ann@example.com"] {
            assert_eq!(check(bad), Some("value"), "{bad}");
        }
    }

    #[test]
    fn an_address_has_one_at_sign_with_something_on_both_sides() {
        for good in ["a@b", "ann+x@example.com", "ζωή@example.com"] {
            assert_eq!(email_problem(good), None, "{good}");
        }
        for bad in ["ann", "@b", "a@", "a@b@c", "a b@c", "a@b\n"] {
            assert_eq!(code(email_problem(bad)), Some("format"), "{bad:?}");
        }
        assert_eq!(email_problem(&format!("{}@b", "x".repeat(318))), None);
        assert_eq!(
            code(email_problem(&format!("{}@b", "x".repeat(319)))),
            Some("length")
        );
    }

    #[test]
    fn a_password_is_counted_in_characters_and_is_not_the_username() {
        let check = |password: &str| code(password_problem(password, "Annabella"));
        assert_eq!(check(&"ä".repeat(7)), Some("length"));
        assert_eq!(check(&"ä".repeat(8)), None);
        assert_eq!(check(&"ä".repeat(128)), None);
        assert_eq!(check(&"ä".repeat(129)), Some("length"));
        assert_eq!(check("annaBella"), Some("value"));
    }

    #[test]
    fn clients_and_drivers_belong_to_a_client_and_nobody_else_does() {
        for role in Role::ALL {
            let bound = matches!(role, Role::Client | Role::Driver);
            assert_eq!(
                client_problem(role, Some("c-1")).is_none(),
                bound,
                "{}",
                role.name()
            );
            assert_eq!(client_problem(role, None).is_none(), !bound, "{}", role.name());
        }
        assert_eq!(code(client_problem(Role::Client, Some(""))), Some("length"));
        assert_eq!(
            code(client_problem(Role::Driver, Some(&"x".repeat(201)))),
            Some("length")
        );
    }

    #[test]
    fn a_name_is_shown_to_people() {
        assert_eq!(name_problem("Ann Example"), None);
        assert_eq!(code(name_problem("")), Some("length"));
        assert_eq!(code(name_problem(" ")), Some("format"));
        assert_eq!(code(name_problem("Ann\u{1b}[31m")), Some("format"));
    }
}
