//! `waybill migrate`.

use std::path::PathBuf;

use clap::Args;
use rand::rngs::StdRng;
use rand::rngs::SysRng;
use rand::{RngExt, SeedableRng};
use store::folder::DataFolder;
use store::postgres::{PostgresOptions, PostgresStore};
use store::sqlite::SqliteStore;
use store::{Birth, Migrated};

use super::output::say;
use super::{DataDir, Ended, Problem, pg_dsn_of_environment};
use crate::app::StartError;
use crate::clock::{Clock, SystemClock};

/// Brings the tables of a store up to date, without serving
///
/// Says from which version to which. A start does the same by itself; this is for whoever wants it done before. A store that
/// does not exist yet is made. Of a data folder no server may be running; of a database the nodes that start meanwhile wait.
///
/// The database is the one that --pg-dsn names, or else the environment variable `PG_DSN`, or `DATABASE_URL`: a password is better
/// kept there. Without any of them it is the data folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  waybill migrate --data-dir waybill-data\n  \
                        PG_DSN=postgres://waybill@db/waybill waybill migrate")]
pub(super) struct Migrate {
    // The variables are read by hand: set for good, they may stand beside a flag.
    #[arg(
        long,
        value_name = "DIR",
        help = "The data folder [env: WAYBILL_DATA_DIR] [default: waybill-data]"
    )]
    data_dir: Option<PathBuf>,
    #[arg(
        long,
        value_name = "DSN",
        conflicts_with = "data_dir",
        help = "The database: postgres://… or host=… dbname=… [env: PG_DSN, DATABASE_URL]"
    )]
    pg_dsn: Option<String>,
}

impl Migrate {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let dsn = match &self.data_dir {
            Some(_) => None,
            None => self.pg_dsn.clone().or_else(pg_dsn_of_environment),
        };
        let birth = birth()?;
        let (what, migrated) = match dsn {
            Some(dsn) => {
                let migrated = PostgresStore::migrate(&PostgresOptions::new(&dsn), &birth)?;
                ("the database".to_owned(), migrated)
            }
            None => {
                let dir = self.data_dir.clone().unwrap_or_else(DataDir::of_environment);
                let migrated = SqliteStore::migrate(&DataFolder::lock(&dir)?, &birth)?;
                (dir.display().to_string(), migrated)
            }
        };
        say(&told(&what, migrated));
        Ok(Ended::Well)
    }
}

fn told(what: &str, Migrated { from, to }: Migrated) -> String {
    match from {
        0 => format!("{what}: a new store was made, version {to}"),
        from if from == to => format!("{what}: already up to date, version {to}"),
        from => format!("{what}: brought up to date, from version {from} to version {to}"),
    }
}

/// For a store that is made.
fn birth() -> Result<Birth, StartError> {
    let mut random =
        StdRng::try_from_rng(&mut SysRng).map_err(|error| StartError::Random(error.to_string()))?;
    Ok(Birth {
        store_id: random.random(),
        event_id_key: random.random(),
        at: SystemClock.now(),
    })
}
