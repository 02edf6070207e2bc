//! `waybill archive`.

use std::path::{Path, PathBuf};

use clap::Args;
use model::public_id::PublicId;
use store::postgres::archive::{ArchiveFile, Archiver, Going, Partition, Stays};

use super::output::{complain, grouped, progress_bar, say};
use super::{Ended, Problem, StoreArgs};
use crate::archive_file::{self, hex};
use crate::clock::{Clock, SystemClock};
use crate::place::StorePlace;

/// Detaches the oldest partitions of the log from PostgreSQL, each written to a file first
///
/// A partition can go, with all before it, when every order that has an entry in it has come to its end and has none behind it. Such
/// orders stay in lists, with their last status; of their history it is said that it is archived, and nothing is added to them any more.
/// Nodes may be at work meanwhile; none of a version that does not know this command.
///
/// The file is on the disk and read back before anything is changed, and the partition becomes a table of its own: dropping that is left to
/// you. Ended in the middle, nothing was changed, and it can be run again. Run `waybill verify` before. --dry-run says what would go and
/// what stays for which reason.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  PG_DSN='host=db dbname=waybill user=waybill' waybill archive --to /srv/archive --dry-run\n  \
                  PG_DSN='host=db dbname=waybill user=waybill' waybill archive --to /srv/archive"
)]
pub(super) struct Archive {
    #[arg(long, value_name = "DIR", help = "The folder for the files, which is there")]
    to: PathBuf,
    #[arg(long, help = "Only say what would go; change nothing")]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
}

impl Archive {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let StorePlace::Postgres(place) = self.store.place()? else {
            return Err(
                "in a data folder there is nothing to detach: its log is one table. Name a database with PG_DSN or --pg-dsn"
                    .into(),
            );
        };
        let to = self.to.canonicalize().ok().filter(|folder| folder.is_dir());
        let to = to.ok_or_else(|| format!("{} is not a folder: make it first", self.to.display()))?;
        let mut archiver = Archiver::open(&place.options)?;
        let plan = archiver.plan()?;
        for partition in &plan {
            say(&told(partition));
        }
        let can_go: Vec<&Partition> = plan.iter().filter(|found| found.stays.is_none()).collect();
        if can_go.is_empty() {
            say("no partition can go");
            return Ok(Ended::Well);
        }
        if self.dry_run {
            say("nothing was changed: this was a dry run");
            return Ok(Ended::Well);
        }
        let mut going = Vec::with_capacity(can_go.len());
        for partition in can_go {
            going.push((partition.clone(), written(&mut archiver, partition, &to)?));
        }
        detach(&mut archiver, &going)
    }
}

fn written(archiver: &mut Archiver, partition: &Partition, to: &Path) -> Result<ArchiveFile, Problem> {
    let bar = progress_bar(partition.entries, "{msg} {bar:40} {percent}%, {eta} left");
    bar.set_message(partition.name.clone());
    let written = archive_file::write(archiver, partition, to, &mut |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let written = written?;
    let name = written.path.display().to_string();
    say(&format!(
        "{}: written to {name}, {}, SHA-256 {}",
        partition.name,
        size(written.bytes),
        hex(&written.sha256)
    ));
    let sha256 = written.sha256;
    Ok(ArchiveFile { name, sha256 })
}

fn detach(archiver: &mut Archiver, going: &[(Partition, ArchiveFile)]) -> Result<Ended, Problem> {
    let waiting = &mut |tries| {
        complain(&format!(
            "somebody reads or writes the log for longer (a dump, `waybill verify`): gave way, try {}",
            tries + 1
        ));
    };
    match archiver.detach(going, SystemClock.now(), waiting)? {
        Going::Gone => {
            say(&next_steps(going));
            Ok(Ended::Well)
        }
        Going::MovedOn(orders) => {
            complain(&format!(
                "orders went on meanwhile ({}): nothing was changed, run it again",
                list(&orders)
            ));
            Ok(Ended::NotDone)
        }
    }
}

fn told(partition: &Partition) -> String {
    let what = match &partition.stays {
        None => "can go".to_owned(),
        Some(Stays::InUse) => "stays: it is written to, or made ahead".to_owned(),
        Some(Stays::Orders {
            unfinished,
            going_on,
            some,
        }) => {
            let more = u64::try_from(some.len()).is_ok_and(|named| named < unfinished + going_on);
            let more = if more { ", …" } else { "" };
            format!(
                "stays: of the orders up to its end, {} are not final and {} go on in a later partition ({}{more})",
                grouped(*unfinished),
                grouped(*going_on),
                list(some)
            )
        }
    };
    format!(
        "{}: places {} to {}, {} entries, {} orders, {}: {what}",
        partition.name,
        partition.first_place,
        partition.places_end - 1,
        grouped(partition.entries),
        grouped(partition.orders),
        size(partition.bytes)
    )
}

fn next_steps(gone: &[(Partition, ArchiveFile)]) -> String {
    let mut lines = vec![
        "detached. Next:".to_owned(),
        "  bring the files to a safe place, and keep their SHA-256".to_owned(),
        "  then drop what was detached, which frees its room:".to_owned(),
    ];
    lines.extend(
        gone.iter()
            .map(|(partition, _)| format!("    DROP TABLE \"{}\";", partition.name)),
    );
    lines.join("\n")
}

fn list(orders: &[PublicId]) -> String {
    let names: Vec<&str> = orders.iter().map(PublicId::as_str).collect();
    names.join(", ")
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_048_576 => (1 << 10, "KiB"),
        1_048_576..1_073_741_824 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
