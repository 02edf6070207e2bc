//! `waybill migrate`.

use clap::Args;
use store::Migrated;

use super::output::say;
use super::{Ended, Problem, StoreArgs};
use crate::app::{birth, system_random};
use crate::clock::{Clock, SystemClock};
use crate::place::StorePlace;

/// Brings the tables of a store up to date, without serving
///
/// Says from which version to which. A start does the same by itself; this is for whoever wants it done before. A store that
/// does not exist yet is made. Of a data folder no server may be running; of a database the nodes that start meanwhile wait.
///
/// The database is the one that --pg-dsn names, or else the setting `PG_DSN`, from the environment, .env or the settings file: a
/// password is better kept there. Without either it is the data folder. A server that is not there yet is waited for (`PG_CONNECT_WAIT_S`).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  waybill migrate --data-dir waybill-data\n  \
                        PG_DSN=postgres://waybill@db/waybill waybill migrate")]
pub(super) struct Migrate {
    #[command(flatten)]
    store: StoreArgs,
}

impl Migrate {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let place = self.store.place()?;
        let migrated = place.migrate(&birth(&mut system_random()?, SystemClock.now()))?;
        let what = match &place {
            StorePlace::Folder(dir) => dir.display().to_string(),
            StorePlace::Postgres(_) => "the database".to_owned(),
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
