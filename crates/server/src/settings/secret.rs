//! Texts that nobody may see.

use std::fmt;

/// A secret. It does not show itself, not even to a debugger's print: whoever needs it says so by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself: never for a log, an answer or an error.
    #[must_use]
    pub const fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Some(Secret::new("hush"))), "Some(***)");
        assert_eq!(Secret::new("hush").expose(), "hush");
    }
}
