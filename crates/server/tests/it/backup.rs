//! `waybill backup` and `waybill restore`, as somebody types them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store::folder::DATABASE_FILE;
use store::sqlite::SqliteStore;
use store::verify::verify;
use tempfile::TempDir;

use crate::harness::acknowledged::{Acknowledged, Losses};
use crate::harness::process::{Ended, Running, run, waybill, waybill_on};

/// Kills of a backup, and of a restore.
const KILLS: usize = 12;

/// A place for a data folder and backups of it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("backup.db")
    }

    /// Makes a store by load of so many seconds.
    fn fill(&self, seed: &str) -> Acknowledged {
        let mut simulate = waybill_on("simulate", &self.data_dir());
        let ended = run(simulate.args([
            "--seconds",
            "0.5",
            "--batch",
            "20",
            "--acknowledge",
            "--seed",
            seed,
        ]));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        Acknowledged::read(&ended.stdout)
    }

    fn backup(&self) -> Command {
        command("backup", &self.file(), &self.data_dir())
    }

    fn restore_to(&self, data_dir: &Path) -> Command {
        command("restore", &self.file(), data_dir)
    }

    /// Everything in it but what is in folders.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.path().is_file());
        files
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }
}

fn command(subcommand: &str, file: &Path, data_dir: &Path) -> Command {
    let mut command = waybill_on(subcommand, data_dir);
    command.arg(file);
    command
}

fn well(ended: &Ended) {
    assert_eq!(ended.code(), Some(0), "{ended:?}");
}

/// The one line that says why it was not done.
fn refusal(command: &mut Command) -> String {
    let ended = run(command);
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr.trim_end().to_owned()
}

#[test]
fn a_backup_beside_a_server_at_full_speed_has_what_was_acknowledged_before_it_began() {
    let place = Place::new();
    let mut simulate = waybill_on("simulate", &place.data_dir());
    simulate.args(["--seconds", "60", "--batch", "20", "--acknowledge"]);
    let running = Running::start(&mut simulate);
    assert!(running.prints_more_than(2_000));
    let before = running.lines();
    let made = run(&mut place.backup());
    well(&made);
    running.interrupt();
    let ended = running.wait();
    well(&ended);
    assert!(
        made.stdout
            .starts_with(&format!("backed up to {}: ", place.file().display()))
    );
    assert!(
        made.stdout
            .contains("not in it: the secret that tokens are signed with (JWT_SECRET, or ")
    );
    assert_eq!(place.files(), ["backup.db"]);
    let mode = fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let restored = place.0.path().join("restored");
    well(&run(&mut place.restore_to(&restored)));
    well(&run(&mut waybill_on("verify", &restored)));
    let lines: Vec<&str> = ended.stdout.lines().take(before).collect();
    let acknowledged = Acknowledged::read(&lines.join("\n"));
    assert!(acknowledged.len() > 1_000);
    assert_eq!(acknowledged.compare(&restored), Losses::default());
}

#[test]
fn a_backup_killed_in_the_middle_leaves_no_file_and_the_next_one_is_made() {
    let place = Place::new();
    place.fill("1");
    let mut random = StdRng::seed_from_u64(3);
    let mut unfinished = 0;
    for _ in 0..KILLS {
        let running = Running::start(&mut place.backup());
        std::thread::sleep(Duration::from_millis(random.random_range(0..200)));
        running.kill();
        if place.file().exists() {
            // It was done.
            let restored = place.0.path().join("restored");
            well(&run(&mut place.restore_to(&restored)));
            fs::remove_dir_all(restored).unwrap();
            fs::remove_file(place.file()).unwrap();
        } else {
            unfinished += 1;
        }
    }
    assert!(unfinished > 0);
    well(&run(&mut place.backup()));
    assert_eq!(place.files(), ["backup.db"]);
}

#[test]
fn a_restore_killed_in_the_middle_leaves_the_old_store_or_the_new_one() {
    let place = Place::new();
    let new = place.fill("1");
    well(&run(&mut place.backup()));
    let backed_up = place.0.path().join("backed-up");
    fs::rename(place.data_dir(), backed_up).unwrap();
    let old = place.fill("2");
    let mut random = StdRng::seed_from_u64(4);
    let mut lasts = 0..300;
    for _ in 0..KILLS {
        let left = place.0.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::copy(place.data_dir().join(DATABASE_FILE), left.join(DATABASE_FILE)).unwrap();
        let running = Running::start(place.restore_to(&left).arg("--replace"));
        std::thread::sleep(Duration::from_millis(random.random_range(lasts.clone())));
        running.kill();
        let store = SqliteStore::open_to_read(&left).unwrap();
        let report = verify(&store, &mut |_| {});
        assert_eq!(report.findings, []);
        drop(store);
        let is_new = new.compare(&left) == Losses::default();
        assert!(is_new || old.compare(&left) == Losses::default());
        if is_new {
            lasts.end = (lasts.end / 2).max(2);
        }
        fs::remove_dir_all(left).unwrap();
    }
}

#[test]
fn a_store_is_replaced_only_when_asked_for_and_kept() {
    let place = Place::new();
    let new = place.fill("1");
    well(&run(&mut place.backup()));
    fs::remove_dir_all(place.data_dir()).unwrap();
    let old = place.fill("2");
    let told = refusal(&mut place.restore_to(&place.data_dir()));
    assert!(
        told.ends_with(" holds a store: name another folder, or give --replace to move that store aside")
    );
    let replaced = run(place.restore_to(&place.data_dir()).arg("--replace"));
    well(&replaced);
    assert_eq!(new.compare(&place.data_dir()), Losses::default());
    let kept = replaced.stdout.lines().next().unwrap();
    let kept = Path::new(kept.strip_prefix("the store that was there is kept as ").unwrap());
    let name = kept.file_name().unwrap().to_str().unwrap();
    assert_eq!(name.len(), "waybill.db.replaced-20261231T235959Z".len(), "{name}");
    let back = place.0.path().join("back");
    well(&run(&mut command("restore", kept, &back)));
    assert_eq!(old.compare(&back), Losses::default());
}

#[test]
fn a_folder_that_a_server_runs_on_is_not_restored_to() {
    let place = Place::new();
    place.fill("1");
    well(&run(&mut place.backup()));
    let running =
        Running::start(waybill_on("simulate", &place.data_dir()).args(["--seconds", "60", "--acknowledge"]));
    assert!(running.prints_more_than(1));
    let told = refusal(place.restore_to(&place.data_dir()).arg("--replace"));
    assert!(told.contains(&format!(
        "is in use by another process (process {})",
        running.id()
    )));
    running.interrupt();
    well(&running.wait());
}

#[test]
fn a_damaged_backup_is_refused_with_what_was_found() {
    let place = Place::new();
    place.fill("1");
    well(&run(&mut place.backup()));
    let mut bytes = fs::read(place.file()).unwrap();
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle).take(30_000) {
        *byte ^= 0x20;
    }
    fs::write(place.file(), bytes).unwrap();
    let restored = place.0.path().join("restored");
    let ended = run(&mut place.restore_to(&restored));
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(
        ended
            .stdout
            .ends_with("nothing was restored: the backup is damaged\n")
    );
    assert!(ended.stdout.lines().count() > 1);
    assert!(!restored.join(DATABASE_FILE).exists());
}

#[test]
fn what_cannot_be_done_is_one_line_and_leaves_nothing() {
    let place = Place::new();
    let none = refusal(&mut place.backup());
    assert!(none.ends_with(" holds no Waybill store: check the path"));
    place.fill("1");
    let missing = refusal(&mut command(
        "backup",
        &place.0.path().join("no/file"),
        &place.data_dir(),
    ));
    assert!(
        missing.ends_with("/no cannot be written: entity not found"),
        "{missing}"
    );
    // A disk that takes no more, played by a bound on the size of files: 512 bytes a block.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let mut bounded = Command::new("sh");
    bounded.args(["-c", script]).arg(env!("CARGO_BIN_EXE_waybill"));
    // What measures coverage would write a file of its own.
    bounded.env("LLVM_PROFILE_FILE", "/dev/null");
    let full = refusal(
        bounded
            .args(["backup", "--data-dir"])
            .arg(place.data_dir())
            .arg(place.file()),
    );
    assert!(full.contains("backup.db.part: "), "{full}");
    assert_eq!(place.files(), [""; 0]);
    well(&run(&mut place.backup()));
    let again = refusal(&mut place.backup());
    assert!(again.ends_with(" exists: name another file, or give --force to replace it"));
    well(&run(place.backup().arg("--force")));
    for (mib, code) in [("0", 2), ("1", 0), ("1048576", 0), ("1048577", 2)] {
        let ended = run(place.backup().args(["--force", "--max-log-mib", mib]));
        assert_eq!(ended.code(), Some(code), "{ended:?}");
    }
}

#[test]
fn with_postgres_the_commands_name_its_own_tools_and_do_nothing() {
    let place = Place::new();
    for (variable, dsn) in [
        ("PG_DSN", "postgres://u:hush@db/w"),
        ("DATABASE_URL", "host=db user=u dbname=w password=hush"),
    ] {
        for (subcommand, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
            let mut command = waybill();
            command.arg(subcommand).arg(place.file()).env(variable, dsn);
            let ended = run(command.env("WAYBILL_DATA_DIR", place.data_dir()));
            assert_eq!(ended.code(), Some(2), "{ended:?}");
            for said in [tool, "pg_basebackup", "waybill verify", "Nothing was done"] {
                assert!(ended.stderr.contains(said), "{}", ended.stderr);
            }
            assert!(!ended.stderr.contains("hush"));
        }
    }
    place.fill("1");
    // A folder that is named is meant.
    well(&run(place.backup().env("PG_DSN", "postgres://db/w")));
}
