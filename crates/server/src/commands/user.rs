//! `waybill user`.

mod over_http;
mod password;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::role::Role;
use store::OpenError;

use self::over_http::OverHttp;
use super::output::say;
use super::{Ended, Problem, StoreArgs};
use crate::accounts::{AccountError, NewUser, Wish, by_system};
use crate::app::{App, StartError};
use crate::client::ServerUrl;
use crate::settings::Secret;

/// Makes users, changes their passwords and shuts them out
///
/// In the data folder, while no server runs on it; in a database of PostgreSQL; or, with --url, of a running server, as the admin whose token or API key
/// stands in the environment variable `WAYBILL_TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill user add ann --role operator --password-file secret.txt")]
pub(super) struct UserCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(Add),
    Passwd(Passwd),
    Disable(Disable),
}

/// Where the users are.
#[derive(Debug, Args)]
struct Place {
    #[command(flatten)]
    store: StoreArgs,
    /// A running server; no store is opened then.
    #[arg(long, value_name = "URL")]
    url: Option<ServerUrl>,
}

/// Where the password comes from. Never an argument: other users of the machine see those.
#[derive(Debug, Args)]
struct PasswordSource {
    /// A file with the password in one line; otherwise it is read from standard input, without echo if that is a terminal.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Makes a user
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  waybill user add ann --role admin --data-dir waybill-data\n  \
                        waybill user add dan --role driver --client-id client_001 --url http://127.0.0.1:8080 < secret.txt"
)]
struct Add {
    /// What it signs in with.
    username: String,
    /// customer, client, driver, operator or admin.
    #[arg(long, value_parser = role)]
    role: Role,
    /// The client it belongs to: of clients and drivers.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Its e-mail address; if not given, one that no mail reaches.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The name to be shown; if not given, the username.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    place: Place,
}

/// Changes a user's password and ends its sessions
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill user passwd ann --data-dir waybill-data < secret.txt")]
struct Passwd {
    /// Its username or e-mail address.
    username: String,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    place: Place,
}

/// Shuts a user out and ends its sessions
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill user disable ann --url http://127.0.0.1:8080")]
struct Disable {
    /// Its username or e-mail address.
    username: String,
    #[command(flatten)]
    place: Place,
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name)
        .filter(|role| *role != Role::System)
        .ok_or_else(|| "use customer, client, driver, operator or admin".to_owned())
}

impl UserCommand {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let done = match &self.what {
            What::Add(add) => add.run().await?,
            What::Passwd(passwd) => passwd.run().await?,
            What::Disable(disable) => disable.run().await?,
        };
        say(&done);
        Ok(Ended::Well)
    }
}

impl Add {
    async fn run(&self) -> Result<String, Problem> {
        let password = self.password.read()?;
        let wish = Wish {
            username: Some(&self.username),
            email: self.email.as_deref(),
            name: self.name.as_deref().unwrap_or(&self.username),
            role: self.role,
            client: self.client_id.as_deref(),
            password: password.expose(),
        };
        // Before anything is opened or asked.
        NewUser::check(&wish)?.map_err(AccountError::Rules)?;
        match &self.place.url {
            Some(url) => OverHttp::connect(url).await?.add(&wish).await?,
            None => {
                let app = self.place.start()?;
                let made = by_system::make(app.engine().handle(), &wish).await;
                stopped(app, made.map(drop)).await?;
            }
        }
        Ok(format!("made the {} {}", self.role.name(), self.username))
    }
}

impl Passwd {
    async fn run(&self) -> Result<String, Problem> {
        let password: Secret = self.password.read()?;
        match &self.place.url {
            Some(url) => {
                let server = OverHttp::connect(url).await?;
                server.set_password(&self.username, &password).await?;
            }
            None => {
                let app = self.place.start_on_what_is_there()?;
                let set = by_system::set_password(app.engine().handle(), &self.username, &password).await;
                stopped(app, set).await?;
            }
        }
        Ok(format!(
            "{} has the new password; its sessions have ended",
            self.username
        ))
    }
}

impl Disable {
    async fn run(&self) -> Result<String, Problem> {
        match &self.place.url {
            Some(url) => OverHttp::connect(url).await?.disable(&self.username).await?,
            None => {
                let app = self.place.start_on_what_is_there()?;
                let disabled = by_system::disable(app.engine().handle(), &self.username).await;
                stopped(app, disabled).await?;
            }
        }
        Ok(format!("{} is shut out; its sessions have ended", self.username))
    }
}

impl Place {
    fn start(&self) -> Result<App, Problem> {
        App::start(self.store.place()?, None).map_err(|error| match error {
            StartError::Open(OpenError::InUse { .. }) => {
                format!("{error}, or name the server that runs on it with --url").into()
            }
            other => other.into(),
        })
    }

    /// Makes no store: who is not there cannot be changed.
    fn start_on_what_is_there(&self) -> Result<App, Problem> {
        drop(self.store.place()?.look_into()?);
        self.start()
    }
}

async fn stopped(app: App, done: Result<(), AccountError>) -> Result<(), Problem> {
    let stopped = app.stop().await;
    done?;
    Ok(stopped?)
}
