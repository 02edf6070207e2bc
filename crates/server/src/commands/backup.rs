//! `waybill backup`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use store::sqlite::backup::{BackedUp, BackupError, BackupOptions, Progress, back_up};
use store::verify::Report;

use super::output::{grouped, progress_bar, say, short};
use super::verify::{counted, say_findings};
use super::{Ended, Problem, StoreArgs};
use crate::place::StorePlace;

/// What PostgreSQL has for it.
const WITH_POSTGRES: &str = "The data are in PostgreSQL (--pg-dsn, PG_DSN or DATABASE_URL says so), whose own tools make backups. Nothing was done.
  one moment:     pg_dump --format=custom --file=waybill.dump DATABASE
                  beside running servers; needs no pause
  any moment:     archive_mode = on with an archive_command, and pg_basebackup --pgdata=DIR now and then:
                  brings the server back to any time since (point-in-time recovery)
  what it holds:  restore it into an empty database, then run `waybill verify` on that
To back up a data folder all the same, name it with --data-dir.";

/// Copies the store of a data folder into one file
///
/// Works beside a running server, which goes on writing. The file is of one instant, holds everything that was answered before the
/// command began, and is proven as `waybill verify` does before it gets its name. It can be read by its owner only, as
/// addresses and hashes of passwords are in it. The secret that tokens are signed with is not: keep the folder's `jwt-secret`, or
/// everybody signs in again after a restore.
///
/// Of a store over PostgreSQL, the command says which tools of PostgreSQL to use. Exit code 1: the store is not sound, no file was made; 2: not done.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  waybill backup /mnt/backups/waybill-monday.db --data-dir waybill-data\n  \
                        waybill backup --force /mnt/backups/latest.db"
)]
pub(super) struct Backup {
    /// The file to be made; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Replace the file if it exists, once the new one is whole.
    #[arg(long)]
    force: bool,
    /// Give up when the server's write-ahead log, which cannot be begun anew while the store is copied, has grown by more than this.
    #[arg(long, value_name = "MIB", default_value_t = store::limits::BACKUP_LOG_BYTES >> 20, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    max_log_mib: u64,
}

impl Backup {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let StorePlace::Folder(data_dir) = self.store.place()? else {
            return Err(WITH_POSTGRES.into());
        };
        let options = BackupOptions {
            force: self.force,
            max_log_bytes: self.max_log_mib << 20,
        };
        let began = Instant::now();
        let bar = bar();
        let mut copying = None;
        let made = back_up(&data_dir, &self.file, &options, &mut |progress| {
            if let Progress::Proven(_) = progress {
                copying.get_or_insert_with(|| began.elapsed());
            }
            show(&bar, progress);
        });
        bar.finish_and_clear();
        let BackedUp {
            report,
            bytes,
            log_grew_bytes,
        } = match made {
            Ok(made) => made,
            Err(BackupError::Unsound(report)) => return Ok(not_made(&report)),
            Err(error) => return Err(error.into()),
        };
        let took = began.elapsed();
        say(&format!(
            "backed up to {}: {}, {} bytes, in {} (copied in {}, during which the server's log grew by {} MiB; the rest is proof)",
            self.file.display(),
            counted(&report),
            grouped(bytes),
            short(took),
            short(copying.unwrap_or(took)),
            grouped(log_grew_bytes >> 20)
        ));
        say(&format!(
            "not in it: the secret that tokens are signed with (JWT_SECRET, or {}): keep it apart",
            data_dir.join(crate::secret_file::FILE).display()
        ));
        Ok(Ended::Well)
    }
}

fn not_made(report: &Report) -> Ended {
    say_findings(report);
    say(
        "no backup was made: the copy is not sound; see whether `waybill verify` finds the same in the store",
    );
    Ended::WithFindings
}

/// Shows how far a copy is.
pub(super) fn bar() -> ProgressBar {
    progress_bar(0, "{msg} {bar:40} {bytes}/{total_bytes}")
}

pub(super) fn show(bar: &ProgressBar, progress: Progress<'_>) {
    match progress {
        Progress::Copied { bytes, of } => {
            bar.set_message("copying");
            bar.set_length(of);
            bar.set_position(bytes);
        }
        Progress::Proven(report) => {
            bar.set_message(format!("proving: {} of", counted(report)));
            bar.tick();
        }
    }
}
