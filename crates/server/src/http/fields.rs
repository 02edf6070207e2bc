//! Reading a JSON object field by field: every problem is found and named, not only the first.

use std::fmt;
use std::marker::PhantomData;

use model::time::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::limits::{BATCH_ENTRIES, JSON_DEPTH};
use super::problem::{FieldProblem, Kind, Problem};

/// Parses a body, within the depth that is allowed.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let text = text(body)?;
    if is_too_deep(text) {
        return Err(Problem::fields(vec![too_deep("")]));
    }
    match serde_json::from_str::<Unambiguous>(text) {
        Ok(Unambiguous(value)) => Ok(value),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Why a text cannot be read: it is no JSON, or not of the kind that is meant.
pub(crate) fn unreadable(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        Problem::field("", "value", error.to_string())
    } else {
        malformed(error)
    }
}

/// That a member of an object stands there twice.
pub(crate) fn stands_twice(name: &str) -> String {
    let shown: String = name.chars().take(100).collect();
    format!("`{shown}` stands there twice: leave one out")
}

/// A value none of whose objects has a member twice: readers do not agree on which of the two counts.
pub(crate) struct Unambiguous(pub(crate) Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = entries.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(stands_twice(&name)));
            }
            let Unambiguous(value) = entries.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// The entries of an array: those over the limit are counted and not kept, as a body of small ones would take many times its room.
pub(crate) struct Entries<T> {
    pub(crate) kept: Vec<T>,
    pub(crate) total: usize,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Entries<T>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < BATCH_ENTRIES {
            match array.next_element()? {
                Some(entry) => kept.push(entry),
                None => break,
            }
        }
        let mut total = kept.len();
        while array.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(Entries { kept, total })
    }
}

/// Something that is read from an object only. What is derived takes an array of its fields too.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// A body as text.
pub(crate) fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let detail = format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to());
        Problem::new(Kind::MalformedJson, detail)
    })
}

/// That a text is not JSON, and where.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::MalformedJson, format!("not JSON: {error}"))
}

/// Whether arrays and objects are nested deeper than allowed. Counts brackets outside of strings; whether they match is the
/// parser's to say.
pub(crate) fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match (in_string, byte) {
            (true, b'\\') => {
                bytes.next();
            }
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > JSON_DEPTH {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (_, _) => {}
        }
    }
    false
}

pub(crate) fn too_deep(field: &str) -> FieldProblem {
    FieldProblem::new(
        field,
        "value",
        format!("must not be nested deeper than {JSON_DEPTH}"),
    )
}

/// An object under examination.
pub(crate) struct Fields<'a> {
    members: Option<&'a Map<String, Value>>,
    prefix: String,
    known: Vec<&'static str>,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    /// The body as a whole.
    pub(crate) fn of(body: &'a Value) -> Self {
        Self::under(body, String::new())
    }

    /// An object within the body; `prefix` is its name, with a dot behind.
    pub(crate) fn under(value: &'a Value, prefix: String) -> Self {
        let members = value.as_object();
        let name = prefix.trim_end_matches('.').to_owned();
        Self {
            members,
            prefix,
            known: Vec::new(),
            problems: if members.is_none() {
                vec![FieldProblem::new(name, "type", "must be an object")]
            } else {
                Vec::new()
            },
        }
    }

    /// Notes a problem with a field.
    pub(crate) fn complain(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.problems.push(FieldProblem::new(field, code, message));
    }

    /// A member, if it is there and not null.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.members?.get(name).filter(|value| !value.is_null())
    }

    /// A member that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.optional(name);
        if value.is_none() && self.members.is_some() {
            self.complain(name, "required", "is required");
        }
        value
    }

    /// A text of at least one character that is not a space, and at most so many.
    pub(crate) fn text(&mut self, name: &'static str, most_chars: usize) -> Option<&'a str> {
        let value = self.required(name)?;
        self.as_text(name, value, most_chars)
    }

    /// As [`Fields::text`], but it may be left out.
    pub(crate) fn optional_text(&mut self, name: &'static str, most_chars: usize) -> Option<&'a str> {
        let value = self.optional(name)?;
        self.as_text(name, value, most_chars)
    }

    fn as_text(&mut self, name: &'static str, value: &'a Value, most_chars: usize) -> Option<&'a str> {
        let Some(text) = value.as_str() else {
            self.complain(name, "type", "must be a text");
            return None;
        };
        match text_problem(text, most_chars) {
            Some(message) => {
                self.complain(name, "length", message);
                None
            }
            None => Some(text),
        }
    }

    /// A text of whatever length, also none: for what has rules of its own.
    pub(crate) fn optional_string(&mut self, name: &'static str) -> Option<&'a str> {
        let text = self.optional(name)?.as_str();
        if text.is_none() {
            self.complain(name, "type", "must be a text");
        }
        text
    }

    /// A number that `holds` accepts; `must` says what that is.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        must: &str,
        holds: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let Some(number) = self.required(name)?.as_f64() else {
            self.complain(name, "type", "must be a number");
            return None;
        };
        if holds(number) {
            Some(number)
        } else {
            self.complain(name, "range", must);
            None
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole_number(&mut self, name: &'static str, from: u32, to: u32) -> Option<u32> {
        let value = self.required(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (from..=to).contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {from} to {to}");
            let code = if value.is_number() { "range" } else { "type" };
            self.complain(name, code, message);
        }
        number
    }

    /// Refuses a member that is known and not wanted here; `why` says so, and what to do.
    pub(crate) fn refuse(&mut self, name: &'static str, why: &str) {
        if self.optional(name).is_some() {
            self.complain(name, "unknown", why);
        }
    }

    /// Yes or no.
    pub(crate) fn optional_bool(&mut self, name: &'static str) -> Option<bool> {
        let value = self.optional(name)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.complain(name, "type", "must be true or false");
        }
        flag
    }

    /// A timestamp, if it is there.
    pub(crate) fn optional_timestamp(&mut self, name: &'static str) -> Option<Timestamp> {
        let Some(text) = self.optional(name)?.as_str() else {
            self.complain(name, "type", "must be a text");
            return None;
        };
        match Timestamp::parse(text) {
            Ok(at) => Some(at),
            Err(error) => {
                self.complain(name, "format", error.to_string());
                None
            }
        }
    }

    /// Takes over the problems of an object within.
    pub(crate) fn take_in(&mut self, within: Fields<'_>) {
        self.problems.extend(within.problems());
    }

    /// All problems, those of members that nobody asked for included; empty when all is well.
    pub(crate) fn problems(mut self) -> Vec<FieldProblem> {
        let unknown: Vec<&String> = self
            .members
            .into_iter()
            .flat_map(Map::keys)
            .filter(|name| !self.known.iter().any(|known| known == name))
            .collect();
        let known = match &*self.known {
            [] => "there are none".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        for name in unknown {
            let shown: String = name.chars().take(100).collect();
            self.complain(&shown, "unknown", format!("is not a field here; {known}"));
        }
        self.problems
    }

    /// Ends the examination.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let problems = self.problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problem::fields(problems))
        }
    }
}

/// What is wrong with a text's length, if anything is.
pub(crate) fn text_problem(text: &str, most_chars: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some("must not be empty".to_owned());
    }
    // A text of so many bytes has at most as many characters: most are not counted.
    if text.len() <= most_chars {
        return None;
    }
    let found = text.chars().count();
    (found > most_chars).then(|| format!("must have at most {most_chars} characters, this has {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn depth_is_bounded_at_64() {
        assert!(!is_too_deep(&nested(64)));
        assert!(is_too_deep(&nested(65)));
        assert!(is_too_deep(&nested(10_000)));
    }

    #[test]
    fn brackets_in_texts_are_no_nesting() {
        let text = format!(r#"["{}", "\"{}"]"#, "[".repeat(100), "{".repeat(100));
        assert!(!is_too_deep(&text));
    }

    #[test]
    fn every_problem_is_named() {
        let body = serde_json::json!({"name": "", "weight": "heavy", "colour": "red", "at": "noon"});
        let mut fields = Fields::of(&body);
        fields.text("name", 10);
        fields.number("weight", "must be above 0", |number| number > 0.0);
        fields.text("address", 10);
        fields.optional_timestamp("at");
        let found = fields.problems();
        let told: Vec<(&str, &str)> = found.iter().map(|it| (it.field.as_str(), it.code)).collect();
        assert_eq!(
            told,
            [
                ("name", "length"),
                ("weight", "type"),
                ("address", "required"),
                ("at", "format"),
                ("colour", "unknown")
            ]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_one_problem() {
        let body = serde_json::json!([1]);
        let mut fields = Fields::of(&body);
        fields.text("name", 10);
        assert_eq!(
            fields.problems(),
            [FieldProblem::new("", "type", "must be an object")]
        );
    }
}
