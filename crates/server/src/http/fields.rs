//! Reading a JSON object field by field: every problem is found and named, not only the first.

use model::time::Timestamp;
use serde_json::{Map, Value};

use super::limits::JSON_DEPTH;
use super::problem::{FieldProblem, Kind, Problem};

/// Parses a body, within the depth that is allowed.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let text = text(body)?;
    if is_too_deep(text) {
        return Err(Problem::fields(vec![too_deep("")]));
    }
    serde_json::from_str(text).map_err(|error| malformed(&error))
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

    /// All problems, those of members that nobody asked for included; empty when all is well.
    pub(crate) fn problems(mut self) -> Vec<FieldProblem> {
        let unknown: Vec<&String> = self
            .members
            .into_iter()
            .flat_map(Map::keys)
            .filter(|name| !self.known.iter().any(|known| known == name))
            .collect();
        let known = self.known.join(", ");
        for name in unknown {
            let shown: String = name.chars().take(100).collect();
            self.complain(
                &shown,
                "unknown",
                format!("is not a field here; there are {known}"),
            );
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
