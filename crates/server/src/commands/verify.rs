//! `waybill verify`.

use clap::Args;
use store::folder::{DATABASE_FILE, DataFolder};
use store::sqlite::SqliteStore;
use store::verify::{Report, verify};

use super::output::{grouped, progress_bar, say};
use super::{DataDir, Ended, Problem};

/// Proves that a store is what its log says
///
/// Folds every order, checks every step against its lifecycle, every version and position for gaps, the digest of every
/// commit, the heads and the counts. Exit code 1 and a list where something is wrong. Nobody else may use the store meanwhile.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill verify --data-dir waybill-data")]
pub(super) struct Verify {
    #[command(flatten)]
    data: DataDir,
}

impl Verify {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let dir = &self.data.data_dir;
        if !dir.is_file() && !dir.join(DATABASE_FILE).exists() {
            return Err(store::OpenError::NoStore(dir.clone()).into());
        }
        // Locked, so that nothing changes meanwhile; opened for reading, so that looking changes nothing either.
        let _folder = DataFolder::lock(dir)?;
        let store = SqliteStore::open_to_read(dir)?;
        let bar = progress_bar(0, "{spinner} {msg}");
        let report = verify(&store, &mut |report| {
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
    format!(
        "{} orders, {} entries, {} commits",
        grouped(report.orders),
        grouped(report.entries),
        grouped(report.commits)
    )
}
