//! `waybill verify`.

use clap::Args;
use store::folder::{DATABASE_FILE, DataFolder};
use store::verify::{Report, verify};

use super::output::{grouped, progress_bar, say};
use super::{Ended, Problem, StoreArgs};
use crate::place::StorePlace;

/// Proves that a store is what its log says
///
/// Folds every order, checks every step against its lifecycle, every version and position for gaps, the digest of every
/// commit, the heads and the counts. Exit code 1 and a list where something is wrong. Nobody else may use the store meanwhile: stop
/// every node of a database first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill verify --data-dir waybill-data")]
pub(super) struct Verify {
    #[command(flatten)]
    store: StoreArgs,
}

impl Verify {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let place = self.store.place()?;
        let _folder = lock(&place)?;
        // For reading, so that looking changes nothing.
        let store = place.look_into()?;
        let bar = progress_bar(0, "{spinner} {msg}");
        let report = verify(&*store, &mut |report| {
            bar.tick();
            bar.set_message(counted(report));
        });
        bar.finish_and_clear();
        say_findings(&report);
        if report.findings.is_empty() {
            say(&format!("all is well: {}", counted(&report)));
            Ok(Ended::Well)
        } else {
            let findings = u64::try_from(report.findings.len()).unwrap_or_default() + report.more_findings;
            say(&format!("{} wrong: {}", grouped(findings), counted(&report)));
            Ok(Ended::WithFindings)
        }
    }
}

/// Keeps servers away meanwhile, as far as that can be done from here: nodes over PostgreSQL are stopped by whoever runs them.
fn lock(place: &StorePlace) -> Result<Option<DataFolder>, store::OpenError> {
    let StorePlace::Folder(dir) = place else {
        return Ok(None);
    };
    if !dir.is_file() && !dir.join(DATABASE_FILE).exists() {
        return Err(store::OpenError::NoStore(dir.clone()));
    }
    DataFolder::lock(dir).map(Some)
}

/// Lists what is wrong.
pub(super) fn say_findings(report: &Report) {
    for finding in &report.findings {
        say(&finding.to_string());
    }
    if report.more_findings > 0 {
        say(&format!("… and {} more", grouped(report.more_findings)));
    }
}

pub(super) fn counted(report: &Report) -> String {
    let archived = match report.archived_orders {
        0 => String::new(),
        orders => format!(" ({} archived)", grouped(orders)),
    };
    format!(
        "{} orders{archived}, {} entries, {} commits",
        grouped(report.orders),
        grouped(report.entries),
        grouped(report.commits)
    )
}
