//! `waybill serve`.

use clap::Args;
use store::OpenError;

use super::output::{point_out, say};
use super::{Ended, Problem, StopSignals};
use crate::accounts;
use crate::app::StartError;
use crate::logging;
use crate::place::StorePlace;
use crate::server::{ServeError, Server};
use crate::settings::{Seed, SettingFlags, Settings};

/// Settings of parts that do not exist yet: nobody should believe that they do.
const NOT_YET: [&str; 8] = [
    "REDIS_URL",
    "REDIS_ADDR",
    "KAFKA_BROKERS",
    "LIFECYCLE_DIR",
    "SMTP_URL",
    "PAYMENT_URL",
    "WEBHOOK_ALLOW_PRIVATE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Runs the server
///
/// Keeps its data in the data folder, or in PostgreSQL if `PG_DSN` names a database; then several may run side by side. The first start makes an admin and prints its password once, unless `ADMIN_USERNAME` and
/// `ADMIN_PASSWORD` say who it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill serve --port 8080 --data-dir waybill-data")]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingFlags,
}

impl Serve {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let (settings, _) = Settings::of_process(&self.settings)?;
        logging::init(settings.log_level, settings.log_format);
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(
            service.version = version,
            service.environment = settings.env,
            "starting"
        );
        for name in NOT_YET {
            if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
                tracing::warn!("{name} is set, and this version does not use it");
            }
        }
        warn_of_unused(&settings);
        let place = StorePlace::of(&settings);
        let server = Server::start(settings.clone(), &place)
            .await
            .map_err(|error| with_setting(error, &place))?;
        if settings.seed == Some(Seed::Demo) {
            accounts::seed_demo(server.engine()).await?;
            if !settings.app_host.is_loopback() {
                tracing::warn!(
                    "SEED=demo on a public address: everybody knows the passwords of its users, the admin's too"
                );
            }
        } else if let Some(admin) = accounts::first_admin(
            server.engine(),
            settings.admin_username.as_deref(),
            settings.admin_password.as_ref(),
        )
        .await?
        {
            point_out(&format!(
                "The first admin is {} with the password {} (shown this once).",
                admin.username,
                admin.password.expose()
            ));
        }
        serve(server).await
    }
}

/// Whoever names a replica or certificates believes to be on PostgreSQL.
fn warn_of_unused(settings: &Settings) {
    if settings.pg_dsn.is_some() {
        return;
    }
    let names = [
        ("PG_REPLICA_DSN", settings.pg_replica_dsn.is_some()),
        ("PG_ROOT_CERTIFICATES", settings.pg_root_certificates.is_some()),
    ];
    for (name, _) in names.into_iter().filter(|(_, is_set)| *is_set) {
        tracing::warn!("{name} is set and PG_DSN is not: it is not used, the data are in the data folder");
    }
}

/// The settings that name the database.
const DATABASE: &str = "PG_DSN (or DATABASE_URL)";

/// A database is found by settings, which its own words do not name; a data folder names itself.
fn with_setting(error: ServeError, place: &StorePlace) -> Problem {
    match (&error, place) {
        (ServeError::Start(StartError::Open(why)), StorePlace::Postgres(_)) => {
            format!("{}: {why}", setting_of(why)).into()
        }
        (ServeError::Start(StartError::Store(why)), StorePlace::Postgres(_)) => {
            format!("{DATABASE}: {why}").into()
        }
        _ => error.into(),
    }
}

/// The setting that a database is not opened for.
const fn setting_of(why: &OpenError) -> &'static str {
    match why {
        OpenError::BadCertificates { .. } | OpenError::Untrusted { .. } => "PG_ROOT_CERTIFICATES",
        OpenError::BadReplicaAddress(_) => "PG_REPLICA_DSN",
        _ => DATABASE,
    }
}

/// Says where it listens, and serves until told to stop.
pub(super) async fn serve(server: Server) -> Result<Ended, Problem> {
    // Before anybody can know that it runs.
    let mut signals = StopSignals::catch()?;
    say(&format!("waybill listening on http://{}", server.address()));
    let shutdown = async {
        signals.next().await;
        StopSignals::leave_with_the_next();
    };
    server.run(shutdown).await?;
    Ok(Ended::Well)
}
