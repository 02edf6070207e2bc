//! A body whose `metadata` is kept as it came: order of members, spelling of numbers and all.

use std::fmt;

use model::limits::MAX_METADATA_BYTES;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fields::{self, Fields, Unambiguous, is_too_deep, too_deep};
use super::problem::Problem;

const METADATA: &str = "metadata";

/// A body: everything but `metadata` as values, and that as its text.
pub(crate) struct WithMetadata {
    pub(crate) value: Value,
    metadata: Option<Box<RawValue>>,
}

impl WithMetadata {
    /// Parses a body, within the depth that is allowed.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let text = fields::text(body)?;
        if is_too_deep(text) {
            return Err(Problem::fields(vec![too_deep("")]));
        }
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| fields::unreadable(&error));
        }
        // No object: whoever examines it says so.
        Ok(Self {
            value: fields::parse(body)?,
            metadata: None,
        })
    }

    /// The metadata, if there are any; what is wrong with them is noted.
    pub(crate) fn metadata(&self, fields: &mut Fields<'_>) -> Option<&RawValue> {
        // Among the values it is not: this makes it a field that is known.
        fields.optional(METADATA);
        let raw = self.metadata.as_deref().filter(|raw| raw.get() != "null")?;
        if !raw.get().starts_with('{') {
            fields.complain(METADATA, "type", "must be an object");
        } else if raw.get().len() > MAX_METADATA_BYTES {
            let found = raw.get().len();
            let message = format!("must have at most {MAX_METADATA_BYTES} bytes, this has {found}");
            fields.complain(METADATA, "length", message);
        }
        Some(raw)
    }
}

impl<'de> Deserialize<'de> for WithMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = WithMetadata;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<WithMetadata, A::Error> {
        let (mut members, mut metadata) = (Map::new(), None);
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) || name == METADATA && metadata.is_some() {
                return Err(A::Error::custom(fields::stands_twice(&name)));
            }
            if name == METADATA {
                metadata = Some(entries.next_value()?);
            } else {
                let Unambiguous(value) = entries.next_value()?;
                members.insert(name, value);
            }
        }
        Ok(WithMetadata {
            value: Value::Object(members),
            metadata,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str) -> (Option<String>, Vec<String>) {
        let body = WithMetadata::parse(body.as_bytes()).unwrap();
        let mut fields = Fields::of(&body.value);
        fields.optional("name");
        let metadata = body.metadata(&mut fields).map(|raw| raw.get().to_owned());
        let problems = fields.problems().into_iter().map(|problem| problem.field);
        (metadata, problems.collect())
    }

    #[test]
    fn metadata_stay_as_they_came() {
        let odd = r#"{ "b":1.50,"a":1e999, "a":2 }"#;
        let body = format!(r#"{{"name":"n","metadata":{odd}}}"#);
        assert_eq!(kept(&body), (Some(odd.to_owned()), vec![]));
        assert_eq!(kept(r#"{"metadata":null}"#), (None, vec![]));
        assert_eq!(kept("{}"), (None, vec![]));
    }

    #[test]
    fn what_is_no_object_or_too_long_is_named() {
        for metadata in [
            "[]",
            "1",
            "\"{}\"",
            &format!("{{\"a\":\"{}\"}}", "x".repeat(16 * 1024)),
        ] {
            let (_, problems) = kept(&format!(r#"{{"metadata":{metadata}}}"#));
            assert_eq!(problems, ["metadata"]);
        }
        assert_eq!(kept(r#"{"other":1}"#).1, ["other"]);
    }

    #[test]
    fn a_member_that_stands_twice_is_refused() {
        for body in [
            r#"{"metadata":{},"metadata":{}}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
        ] {
            assert!(WithMetadata::parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
