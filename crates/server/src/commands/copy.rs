//! `waybill copy`.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use store::copy::{Copied, CopyError, CopyOptions, Progress, Step, copy};

use super::output::{grouped, per_second, progress_bar, say, short};
use super::{Ended, Problem, secret};
use crate::patience::patiently;
use crate::secret_file;
use crate::settings::{Secret, SettingFlags, Settings};

const SQLITE: &str = "sqlite://";
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

/// Moves a store from a data folder to PostgreSQL
///
/// Everything goes over and keeps its number: orders and their whole log, users, API keys, answers, the audit trail. The new store is
/// verified as `waybill verify` does and compared with the old one; only then it can be opened. Ended in the middle and run
/// again, it goes on where it was. The old store is only read, and no server may be running on it.
///
/// The database has to be empty. Without --to it is the one that the setting `PG_DSN` names: a password stands better
/// there than in the list of processes. A server that is not there yet is waited for (`PG_CONNECT_WAIT_S`). Exit code 1 and a list where something is wrong with the new store.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  waybill copy --from sqlite://waybill-data --to postgres://waybill@db/waybill\n  \
                        PG_DSN='host=db dbname=waybill user=waybill' waybill copy --from sqlite:///var/lib/waybill"
)]
pub(super) struct Copy {
    #[arg(
        long,
        value_name = "STORE",
        help = "The store to move: sqlite://DIR, with the data folder"
    )]
    from: String,
    #[arg(
        long,
        value_name = "DSN",
        value_parser = secret,
        help = "The empty database: postgres://… or host=… dbname=… [env: PG_DSN, DATABASE_URL]"
    )]
    to: Option<Secret>,
}

impl Copy {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let from = source(&self.from)?;
        if let Some(to) = &self.to {
            check_target(to.expose())?;
        }
        let (settings, _) = Settings::of_process(&SettingFlags::default())?;
        let to = self.to.as_ref().or(settings.pg_dsn.as_ref());
        let to = to.ok_or("no database is named: give --to postgres://… or set PG_DSN")?;
        let options = CopyOptions {
            tls_root_certificates: settings.pg_root_certificates.as_deref(),
            ..CopyOptions::new(&from, to.expose())
        };
        let bar = progress_bar(0, "{msg:22} {bar:40} {percent}%, {eta} left");
        let is_worth_waiting =
            |error: &CopyError| matches!(error, CopyError::Target(error) if error.is_worth_waiting());
        let copied = patiently(settings.pg_connect_wait, is_worth_waiting, || {
            copy(&options, &mut |progress| show(&bar, progress))
        });
        bar.finish_and_clear();
        let copied = copied?;
        say(&told(&copied));
        if copied.verified.findings.is_empty() {
            say(&next_steps(&from));
            return Ok(Ended::Well);
        }
        for finding in &copied.verified.findings {
            say(&finding.to_string());
        }
        if copied.verified.more_findings > 0 {
            say(&format!("… and {} more", grouped(copied.verified.more_findings)));
        }
        say(
            "the new store is not opened: if `waybill verify` finds the same in the old one, it was wrong before; \
             otherwise drop the database, make it anew and begin again",
        );
        Ok(Ended::WithFindings)
    }
}

/// The folder of a `sqlite://`. What else was given is not repeated: there may be a password in it.
fn source(from: &str) -> Result<PathBuf, String> {
    match from.strip_prefix(SQLITE) {
        Some("") => Err("--from names no folder: give sqlite://DIR".to_owned()),
        Some(dir) => Ok(PathBuf::from(dir)),
        None => Err(format!(
            "--from {}: a store is copied from sqlite://DIR to PostgreSQL, and from nothing else",
            not_supported(from)
        )),
    }
}

fn check_target(to: &str) -> Result<(), String> {
    let is_supported = !to.contains("://") || POSTGRES.iter().any(|scheme| to.starts_with(scheme));
    if is_supported || !has_scheme(to) {
        return Ok(());
    }
    Err(format!(
        "--to {}: a store is copied from sqlite://DIR to postgres://USER@HOST/DATABASE, and to nothing else",
        not_supported(to)
    ))
}

fn not_supported(address: &str) -> String {
    match address.split_once("://").filter(|_| has_scheme(address)) {
        Some((scheme, _)) => format!("{scheme}://… is not supported"),
        None => "has no scheme".to_owned(),
    }
}

fn has_scheme(address: &str) -> bool {
    address.split_once("://").is_some_and(|(scheme, _)| {
        let mut letters = scheme.chars();
        !scheme.is_empty() && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    })
}

fn show(bar: &ProgressBar, progress: &Progress) {
    match progress.step {
        Step::Copying(table) => bar.set_message(format!("copying {table}")),
        Step::Verifying => bar.set_message("verifying"),
    }
    bar.set_length(progress.of);
    bar.set_position(progress.done);
}

fn told(copied: &Copied) -> String {
    let rate = per_second(copied.rows, copied.copying_took);
    let before = match copied.rows_before {
        0 => String::new(),
        rows => format!(" ({} were there from before)", grouped(rows)),
    };
    let verified = &copied.verified;
    format!(
        "copied {} rows{before} in {}, {rate} a second\nverified {} orders, {} entries, {} commits in {}: {}",
        grouped(copied.rows),
        short(copied.copying_took),
        grouped(verified.orders),
        grouped(verified.entries),
        grouped(verified.commits),
        short(copied.verifying_took),
        match verified.findings.len() {
            0 => "all is well".to_owned(),
            findings => {
                let findings = u64::try_from(findings).unwrap_or_default() + verified.more_findings;
                format!("{} wrong", grouped(findings))
            }
        }
    )
}

fn next_steps(from: &Path) -> String {
    let secret = from.join(secret_file::FILE);
    let secret = if secret.exists() {
        format!(
            "JWT_SECRET to what is in {}, so that tokens stay valid",
            secret.display()
        )
    } else {
        "JWT_SECRET to what it was, so that tokens stay valid".to_owned()
    };
    format!(
        "next:\n  set PG_DSN to the new database, and start the server with it\n  set {secret}\n  \
         keep {} until you are satisfied: nothing in it was changed, and nothing new comes to it",
        from.display()
    )
}
