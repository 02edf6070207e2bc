//! `waybill healthcheck`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::output::complain;
use super::{Ended, Problem};
use crate::settings::{SettingFlags, Settings};

/// A server that is ready answers in milliseconds; a supervisor's own patience is usually longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a running server whether it is ready
///
/// Exit code 0 if it is, 1 if it is not, or does not answer within 5 seconds. Without --url the server of the settings
/// `APP_HOST` and `APP_PORT` is asked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill healthcheck --url http://127.0.0.1:8080")]
pub(super) struct Healthcheck {
    /// The server's address.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Healthcheck {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let server = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => address_by_settings()?,
        };
        match ask(&format!("{server}/readyz")).await {
            Ok(StatusCode::OK) => Ok(Ended::Well),
            Ok(status) => {
                complain(&format!("{server} is not ready: it answers {status}"));
                Ok(Ended::WithFindings)
            }
            Err(problem) => {
                complain(&format!("{server} is not ready: {problem}"));
                Ok(Ended::WithFindings)
            }
        }
    }
}

fn address_by_settings() -> Result<String, Problem> {
    let (settings, _) = Settings::of_process(&SettingFlags::default())?;
    if settings.app_port == 0 {
        return Err("APP_PORT is 0, so nobody knows the server's port: name its address by --url".into());
    }
    let host = match settings.app_host {
        everywhere if everywhere.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host,
    };
    Ok(format!("http://{}", SocketAddr::new(host, settings.app_port)))
}

/// The status of the answer itself: neither a proxy's nor that of where a redirect leads.
async fn ask(url: &str) -> Result<StatusCode, String> {
    let client = Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(Policy::none())
        .build();
    let answer = match client {
        Ok(client) => client.get(url).send().await,
        Err(error) => Err(error),
    };
    answer.map(|answer| answer.status()).map_err(|error| root(&error))
}

/// The cause behind all others, in one line.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().replace('\n', " ")
}
