//! `waybill restore`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use rand::RngExt;
use store::sqlite::backup::{BackupError, Restored, restore};

use super::backup::{bar, show};
use super::output::{grouped, say, short};
use super::verify::{counted, say_findings};
use super::{Ended, Problem, StoreArgs};
use crate::app::system_random;
use crate::clock::{Clock, SystemClock};
use crate::place::StorePlace;

/// What PostgreSQL has for it.
const WITH_POSTGRES: &str = "The data are in PostgreSQL (--pg-dsn, PG_DSN or DATABASE_URL says so), whose own tools restore backups. Nothing was done.
  of one moment:  createdb DATABASE, then pg_restore --exit-on-error --dbname=DATABASE waybill.dump
                  into an empty database, while no server of Waybill runs on it
  of any moment:  put what pg_basebackup made in the place of PostgreSQL's own folder, set restore_command and
                  recovery_target_time, and start it
  then:           waybill verify
To restore into a data folder all the same, name it with --data-dir.";

/// Puts a backup in the place of a data folder's store
///
/// The backup is proven as `waybill verify` does before anything is changed; one of an older version is brought up to date, in the copy. A
/// store that is there is a reason to refuse, or with --replace is moved aside within the folder. A kill at any moment leaves the old
/// store or the new one.
///
/// No server may run on the folder. Of a store over PostgreSQL, the command says which tools of PostgreSQL to use. Exit code 1: the backup
/// is damaged, and what was found; 2: not done.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  waybill restore /mnt/backups/waybill-monday.db --data-dir new-data\n  \
                        waybill restore --replace /mnt/backups/latest.db --data-dir waybill-data"
)]
pub(super) struct Restore {
    /// A file that `waybill backup` has made.
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Move the store that is there aside; it is never deleted.
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let StorePlace::Folder(data_dir) = self.store.place()? else {
            return Err(WITH_POSTGRES.into());
        };
        let began = Instant::now();
        let replaced_at = self.replace.then(time_for_a_name);
        let bar = bar();
        let restored = restore(
            &self.file,
            &data_dir,
            &system_random()?.random(),
            replaced_at.as_deref(),
            &mut |progress| show(&bar, progress),
            &mut |_| {},
        );
        bar.finish_and_clear();
        let Restored { report, bytes, kept } = match restored {
            Ok(restored) => restored,
            Err(BackupError::Unsound(report)) => {
                say_findings(&report);
                say("nothing was restored: the backup is damaged");
                return Ok(Ended::WithFindings);
            }
            Err(error) => return Err(error.into()),
        };
        for file in kept {
            say(&format!("the store that was there is kept as {}", file.display()));
        }
        say(&format!(
            "restored to {}: {}, {} bytes, in {}",
            data_dir.display(),
            counted(&report),
            grouped(bytes),
            short(began.elapsed())
        ));
        Ok(Ended::Well)
    }
}

/// The time to the second, as a part of a file's name: `20261231T235959Z`.
fn time_for_a_name() -> String {
    let now = SystemClock.now().to_string();
    let seconds = now.split('.').next().unwrap_or_default();
    let mut name: String = seconds
        .chars()
        .filter(|symbol| !"-:Z".contains(*symbol))
        .collect();
    name.push('Z');
    name
}
