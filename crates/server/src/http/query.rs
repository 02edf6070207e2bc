//! Reading a query string: what is unknown, doubled or out of bounds is refused by name.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use model::time::Timestamp;

use super::limits::{PAGE, PAGE_DEFAULT};
use super::problem::{FieldProblem, Problem};

/// The parameters of a request's query.
pub(crate) struct Parameters {
    all: Vec<(String, String)>,
    known: Vec<&'static str>,
    problems: Vec<FieldProblem>,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let all = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::field("", "format", "the query is not in the form name=value&…"))?;
        Ok(Self::of(all.0))
    }
}

impl Parameters {
    /// Of names and values from elsewhere.
    pub(crate) const fn of(all: Vec<(String, String)>) -> Self {
        Self {
            all,
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds names and values from elsewhere.
    pub(crate) fn extend(&mut self, more: Vec<(String, String)>) {
        self.all.extend(more);
    }

    /// Whether a parameter is there, whatever it says.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all.iter().any(|(known, _)| known == name)
    }

    /// A parameter, if it is there and not empty.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut found = self.all.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.clone());
        if found.next().is_some() {
            self.complain(name, "value", "must be given once");
        }
        value.filter(|value| !value.is_empty())
    }

    /// A whole number within bounds, if it is there.
    pub(crate) fn number(&mut self, name: &'static str, from: u64, to: u64) -> Option<u64> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(number) if (from..=to).contains(&number) => Some(number),
            Ok(_) | Err(_) => {
                self.complain(
                    name,
                    "range",
                    &format!("must be a whole number from {from} to {to}"),
                );
                None
            }
        }
    }

    /// A timestamp, if it is there.
    pub(crate) fn timestamp(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        match Timestamp::parse(&text) {
            Ok(at) => Some(at),
            Err(error) => {
                self.complain(name, "format", &error.to_string());
                None
            }
        }
    }

    /// Whether a parameter is there, well-formed or not.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.all
            .iter()
            .any(|(known, value)| known == name && !value.is_empty())
    }

    /// `limit`, as most lists have it.
    pub(crate) fn limit(&mut self) -> u32 {
        let limit = self.number("limit", 1, u64::from(PAGE));
        limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(PAGE_DEFAULT)
    }

    pub(crate) fn complain(&mut self, name: &str, code: &'static str, message: &str) {
        self.problems.push(FieldProblem::new(name, code, message));
    }

    /// Ends the reading: all that was wrong, parameters that nobody asked for included.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let known = self.known.join(", ");
        let unknown: Vec<String> = self
            .all
            .iter()
            .filter(|(name, _)| !self.known.iter().any(|known| known == name))
            .map(|(name, _)| name.chars().take(100).collect())
            .collect();
        for name in unknown {
            self.complain(
                &name,
                "unknown",
                &format!("is not a parameter here; there are {known}"),
            );
        }
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Problem::fields(self.problems))
        }
    }
}
