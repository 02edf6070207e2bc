//! `waybill openapi`.

use clap::Args;

use super::output::say;
use super::{Ended, Problem};

/// Prints the description of the HTTP API (OpenAPI 3.1, JSON)
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill openapi > openapi.json")]
pub(super) struct OpenApi {}

impl OpenApi {
    #[expect(clippy::unused_self, reason = "every command is run like this")]
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let document: serde_json::Value = serde_json::from_str(&crate::http::openapi_json())?;
        say(&serde_json::to_string_pretty(&document)?);
        Ok(Ended::Well)
    }
}
