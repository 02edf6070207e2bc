//! Who a client says it is.

use std::fmt;

use reqwest::header::HeaderValue;

/// The variable with an API key or a token.
pub const TOKEN_VARIABLE: &str = "WAYBILL_TOKEN";

/// How a client gets its token.
#[derive(Clone, Debug)]
pub enum Access {
    /// It was given one.
    Given(Token),
    /// It signs in as the operator of a server with demo data.
    SeededOperator,
}

impl Access {
    /// From [`TOKEN_VARIABLE`]: see [`Access::from_variable`].
    ///
    /// # Errors
    /// [`BadToken`].
    pub fn from_environment() -> Result<Self, BadToken> {
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) => Self::from_variable(Some(&token)),
            Err(std::env::VarError::NotPresent) => Self::from_variable(None),
            // What it holds is not repeated.
            Err(std::env::VarError::NotUnicode(_)) => Err(BadToken),
        }
    }

    /// From the value of [`TOKEN_VARIABLE`]; none, or an empty one, is the seeded operator.
    ///
    /// # Errors
    /// [`BadToken`].
    pub fn from_variable(value: Option<&str>) -> Result<Self, BadToken> {
        match value.map(str::trim) {
            None | Some("") => Ok(Self::SeededOperator),
            Some(token) => Token::new(token).map(Self::Given),
        }
    }
}

/// An API key or a JWT. It is shown nowhere.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// A text that cannot be a token; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{TOKEN_VARIABLE} is neither an API key nor a token: it has characters that neither can have")]
pub struct BadToken;

impl Token {
    /// A token as the server gave it.
    ///
    /// # Errors
    /// [`BadToken`] for a text that cannot stand in a header, or with spaces in it.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadToken);
        }
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| BadToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of `Authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let access = Access::from_variable(Some(" sk_live_secret\n")).unwrap();
        assert_eq!(format!("{access:?}"), "Given(Token(…))");
        let bad = Access::from_variable(Some("sk_live secret")).unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("secret"));
    }

    #[test]
    fn without_a_token_it_is_the_seeded_operator() {
        for none in [None, Some(""), Some(" ")] {
            assert!(matches!(Access::from_variable(none), Ok(Access::SeededOperator)));
        }
    }
}
