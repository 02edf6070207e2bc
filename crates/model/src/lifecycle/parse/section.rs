//! One table of a lifecycle file: which keys it may have and of what type their values are.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::de::{DeInteger, DeTable, DeValue};

use crate::lifecycle::report::Report;
use crate::lifecycle::{MAX_DELAY, delay};
use crate::time::Span;

/// Something that was read, and the byte of the text where it stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::lifecycle) struct Placed<T> {
    pub(in crate::lifecycle) value: T,
    pub(in crate::lifecycle) offset: usize,
}

/// What a kind of table may hold.
pub(super) struct Layout {
    /// What messages call the table.
    title: &'static str,
    keys: &'static [Key],
}

/// A key of the file format.
struct Key {
    name: &'static str,
    required: bool,
    /// What a cure tells to write.
    example: &'static str,
}

pub(super) const LIFECYCLE: Layout = Layout {
    title: "the lifecycle",
    keys: &[
        required("name", r#"name = "delivery""#),
        required("version", "version = 1"),
        required("description", r#"description = "what it is for""#),
        required("initial", r#"initial = "created""#),
        optional("cancelled", r#"cancelled = "cancelled""#),
        required("created_by", r#"created_by = ["client", "admin"]"#),
        optional("jitter_percent", "jitter_percent = 20"),
        optional("reports", "[reports] with late, early or park_for"),
        required("state", "[[state]] with a name and a phase"),
        optional("arrow", "[[arrow]] with from, to and by"),
    ],
};

pub(super) const REPORTS: Layout = Layout {
    title: "[reports]",
    keys: &[
        optional("late", r#"late = "reject""#),
        optional("early", r#"early = "reject""#),
        optional("park_for", r#"park_for = "24h""#),
    ],
};

pub(super) const STATE: Layout = Layout {
    title: "[[state]]",
    keys: &[
        required("name", r#"name = "created""#),
        required("phase", r#"phase = "pending""#),
    ],
};

pub(super) const ARROW: Layout = Layout {
    title: "[[arrow]]",
    keys: &[
        required("from", r#"from = "created" or from = ["created", "picked_up"]"#),
        required("to", r#"to = "delivered""#),
        optional("by", r#"by = ["client", "admin"]"#),
        optional("after", r#"after = "20s""#),
        optional("effects", r#"effects = ["release_stock"]"#),
        optional("compensation", r#"compensation = ["release_stock"]"#),
    ],
};

const fn required(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        required: true,
        example,
    }
}

const fn optional(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        required: false,
        example,
    }
}

/// A table of the file.
pub(super) struct Section<'t> {
    /// Where the table begins.
    pub(super) offset: usize,
    table: &'t DeTable<'t>,
    layout: &'static Layout,
}

impl<'t> Section<'t> {
    /// Takes up a table, reporting the keys it should not have and those it lacks.
    pub(super) fn open(
        layout: &'static Layout,
        offset: usize,
        table: &'t DeTable<'t>,
        report: &mut Report<'_>,
    ) -> Self {
        let Layout { title, keys } = layout;
        for (key, _) in table {
            if !keys.iter().any(|known| known.name == key.get_ref()) {
                let names: Vec<&str> = keys.iter().map(|known| known.name).collect();
                let message = format!("unknown key {:?} in {title}", key.get_ref());
                report.add(
                    key.span().start,
                    message,
                    format!("use one of {}", names.join(", ")),
                );
            }
        }
        for key in keys
            .iter()
            .filter(|key| key.required && !table.contains_key(key.name))
        {
            report.add(
                offset,
                format!("{title} has no {}", key.name),
                format!("add {}", key.example),
            );
        }
        Self {
            offset,
            table,
            layout,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where the value of a key stands, if it is a list without elements.
    pub(super) fn empty_list(&self, key: &str) -> Option<usize> {
        let value = self.table.get(key)?;
        value
            .get_ref()
            .as_array()
            .filter(|list| list.is_empty())
            .map(|_| value.span().start)
    }

    /// The value of a key, if `read` finds it to be of the right type.
    pub(super) fn value<T>(
        &self,
        key: &'static str,
        report: &mut Report<'_>,
        read: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let spanned = self.table.get(key)?;
        let (value, offset) = (spanned.get_ref(), spanned.span().start);
        let read = read(value);
        if read.is_none() {
            self.wrong_type(key, "is", value, offset, report);
        }
        read.map(|value| Placed { value, offset })
    }

    pub(super) fn text(&self, key: &'static str, report: &mut Report<'_>) -> Option<Placed<&'t str>> {
        self.value(key, report, DeValue::as_str)
    }

    /// A whole number within bounds.
    pub(super) fn number<T: TryFrom<i64> + PartialOrd + Display>(
        &self,
        key: &'static str,
        bounds: RangeInclusive<T>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let Placed { value, offset } = self.value(key, report, DeValue::as_integer)?;
        let number = integer(value).and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let cure = format!("use a number from {} to {}", bounds.start(), bounds.end());
            report.add(offset, format!("{key} {value} is not allowed"), cure);
        }
        number
    }

    /// A length of time such as `20s`.
    pub(super) fn delay(&self, key: &'static str, report: &mut Report<'_>) -> Option<Placed<Span>> {
        let Placed { value: text, offset } = self.text(key, report)?;
        match delay::read(text) {
            Ok(value) => return Some(Placed { value, offset }),
            Err(delay::BadDelay::NotUnderstood) => {
                let cure = r#"write a whole number and one of ms, s, m, h, d, such as "20s""#;
                report.add(offset, format!("{key} {text:?} is not a length of time"), cure);
            }
            Err(delay::BadDelay::TooLong) => {
                let cure = format!("use at most {}", delay::write(MAX_DELAY));
                report.add(offset, format!("{key} {text:?} is too long"), cure);
            }
        }
        None
    }

    /// The elements of a list, each of a type that `read` takes; nothing if it is left out.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        report: &mut Report<'_>,
        read: fn(&'t DeValue<'t>) -> Option<T>,
    ) -> Vec<Placed<T>> {
        let Some(list) = self.value(key, report, DeValue::as_array) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for element in list.value {
            let offset = element.span().start;
            match read(element.get_ref()) {
                Some(value) => found.push(Placed { value, offset }),
                None => self.wrong_type(key, "holds", element.get_ref(), offset, report),
            }
        }
        found
    }

    /// The words of a list that may be written as one word and may not be empty.
    pub(super) fn one_or_more(&self, key: &'static str, report: &mut Report<'_>) -> Vec<Placed<&'t str>> {
        if self.table.get(key).is_some_and(|value| value.get_ref().is_str()) {
            return self.text(key, report).into_iter().collect();
        }
        if let Some(offset) = self.empty_list(key) {
            report.add(
                offset,
                format!("{key} is an empty list"),
                "name at least one state",
            );
        }
        self.list(key, report, DeValue::as_str)
    }

    fn wrong_type(&self, key: &str, verb: &str, value: &DeValue<'_>, offset: usize, report: &mut Report<'_>) {
        let example = self
            .layout
            .keys
            .iter()
            .find(|known| known.name == key)
            .map_or("", |known| known.example);
        let message = format!("{key} {verb} a value of type {}", value.type_str());
        report.add(offset, message, format!("write {example}"));
    }
}

fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}
