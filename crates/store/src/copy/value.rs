//! A value on its way from one database to the other, in the form that it is to have.

use super::tables::Kind;

/// As PostgreSQL takes it. `None` is NULL.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Int8(Option<i64>),
    Int4(Option<i32>),
    Int2(Option<i16>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    pub(crate) const fn null(kind: Kind) -> Self {
        match kind {
            Kind::Int8 => Self::Int8(None),
            Kind::Int4 => Self::Int4(None),
            Kind::Int2 => Self::Int2(None),
            Kind::Bool => Self::Bool(None),
            Kind::Text => Self::Text(None),
            Kind::Bytes => Self::Bytes(None),
        }
    }

    /// A whole number; says why not, if the column has no room for it.
    pub(crate) fn of_integer(number: i64, kind: Kind) -> Result<Self, &'static str> {
        let too_large = "is a number too large for PostgreSQL's column";
        match kind {
            Kind::Int8 => Ok(Self::Int8(Some(number))),
            Kind::Int4 => i32::try_from(number).map_or(Err(too_large), |number| Ok(Self::Int4(Some(number)))),
            Kind::Int2 => i16::try_from(number).map_or(Err(too_large), |number| Ok(Self::Int2(Some(number)))),
            Kind::Bool => match number {
                0 => Ok(Self::Bool(Some(false))),
                1 => Ok(Self::Bool(Some(true))),
                _ => Err("is neither 0 nor 1"),
            },
            Kind::Text | Kind::Bytes => Err("is a number where a text or bytes belong"),
        }
    }

    /// A text, as bytes where it may hold anything; says why not, if the column cannot hold it.
    pub(crate) fn of_text(text: &[u8], kind: Kind) -> Result<Self, &'static str> {
        let checked = std::str::from_utf8(text).map_err(|_| "is a text that is not UTF-8")?;
        match kind {
            Kind::Bytes => Ok(Self::Bytes(Some(text.to_vec()))),
            Kind::Text if checked.contains('\0') => Err("holds U+0000, which a TEXT of PostgreSQL cannot"),
            Kind::Text => Ok(Self::Text(Some(checked.to_owned()))),
            Kind::Int8 | Kind::Int4 | Kind::Int2 | Kind::Bool => Err("is a text where a number belongs"),
        }
    }

    pub(crate) fn of_bytes(bytes: &[u8], kind: Kind) -> Result<Self, &'static str> {
        match kind {
            Kind::Bytes => Ok(Self::Bytes(Some(bytes.to_vec()))),
            Kind::Int8 | Kind::Int4 | Kind::Int2 | Kind::Bool | Kind::Text => {
                Err("is bytes where something else belongs")
            }
        }
    }

    /// About how much memory it takes beside itself.
    pub(crate) const fn bytes(&self) -> usize {
        match self {
            Self::Text(Some(text)) => text.len(),
            Self::Bytes(Some(bytes)) => bytes.len(),
            Self::Int8(_)
            | Self::Int4(_)
            | Self::Int2(_)
            | Self::Bool(_)
            | Self::Text(None)
            | Self::Bytes(None) => 0,
        }
    }
}
