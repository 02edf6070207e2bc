//! A file system that is really full: refused while it is, taken again once there is room.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::command::{Actor, Create, NewId, OrderRef, Scope};
use model::event_id::EventRef;
use model::ids::{Owner, PartyId, TenantId, Version};
use model::public_id::PublicId;
use model::role::Role;
use server::app::App;
use server::engine::{Command as Wish, Failure, Handle, Outcome, Submission};
use store::Trouble;
use tempfile::TempDir;

use crate::harness::acknowledged::history;
use crate::harness::automatic::reported;
use crate::harness::process::{run, waybill_on};
use crate::harness::skip;

/// Set for the copy of this test that has a file system space of its own.
const INSIDE: &str = "WAYBILL_TEST_IN_OWN_MOUNTS";
const THIS: &str = "full_disk::a_full_disk_is_told_of_and_taken_again_once_there_is_room";

/// A small file system of its own, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(dir.path());
        let mounted = mount.output().is_ok_and(|mounted| mounted.status.success());
        mounted.then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte with a file, which is given.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = File::create(&ballast).unwrap();
        for piece in [&[1; 65_536][..], &[1; 512][..], &[1]] {
            while file.write_all(piece).is_ok() {}
        }
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(
            std::thread::panicking() || unmounted.is_ok_and(|unmounted| unmounted.success()),
            "the small file system is still mounted"
        );
    }
}

#[test]
fn a_full_disk_is_told_of_and_taken_again_once_there_is_room() {
    if let Some(disk) = SmallDisk::mount() {
        fill_and_empty(&disk);
        return;
    }
    let in_own_mounts = || {
        let mut unshare = Command::new("unshare");
        unshare.arg("-rm").arg(std::env::current_exe().unwrap());
        unshare.args(["--exact", THIS]).env(INSIDE, "1").output()
    };
    match std::env::var_os(INSIDE) {
        // Inside and still no mount: said by an exit code that the one outside knows.
        Some(_) => std::process::exit(77),
        None => match in_own_mounts() {
            Ok(ran) if ran.status.success() => {}
            Ok(ran) if ran.status.code() == Some(101) => panic!("{}", String::from_utf8_lossy(&ran.stdout)),
            Ok(_) | Err(_) => skip("no right to mount a small file system"),
        },
    }
}

#[tokio::main(flavor = "current_thread")]
async fn fill_and_empty(disk: &SmallDisk) {
    let data_dir = disk.path().join("data");
    let app = App::start(&*data_dir, None).unwrap();
    let handle = app.engine().handle();
    let made = send(handle, vec![create(handle, "A-1")]).await;
    let [Ok(Outcome::Accepted(made))] = &made[..] else {
        panic!("not made: {made:?}")
    };
    let last_position = last_position(handle);

    let ballast = disk.fill();
    for number in 0..5 {
        let commands = vec![
            report(handle, "A-1", "picked_up"),
            create(handle, &format!("B-{number}")),
        ];
        for answer in send(handle, commands).await {
            assert_eq!(answer, Err(Failure::Unavailable(Trouble::DiskFull)));
            assert_eq!(
                answer.unwrap_err().to_string(),
                "storage is unavailable: the disk is full"
            );
        }
    }
    // Nothing of it is stored, and what is stored can be read.
    assert_eq!(self::last_position(handle), last_position);
    assert_eq!(history(&**handle.store(), "A-1").len(), 1);
    assert_eq!(history(&**handle.store(), "B-1"), []);
    let event = EventRef::Entry(made.order, Version::FIRST);
    let event = handle.event_ids().encode(event).to_string();
    assert_eq!(handle.receipt(&event).unwrap().unwrap().public_id, "A-1");

    fs::remove_file(ballast).unwrap();
    let commands = vec![report(handle, "A-1", "picked_up"), create(handle, "B-1")];
    let answers = send(handle, commands).await;
    let taken = |answer| matches!(answer, &Ok(Outcome::Accepted(_)));
    assert!(answers.iter().all(taken), "{answers:?}");
    app.stop().await.unwrap();
    let verified = run(&mut waybill_on("verify", &data_dir));
    assert_eq!(verified.code(), Some(0), "{verified:?}");
    assert_eq!(verified.stdout, "all is well: 2 orders, 3 entries, 2 commits\n");
}

fn last_position(handle: &Handle) -> i64 {
    let totals = handle.store().reading(|reader| reader.totals());
    totals.unwrap().last_position.get()
}

async fn send(handle: &Handle, commands: Vec<Wish>) -> Vec<server::engine::Answer> {
    let submission = Submission {
        commands,
        ..Submission::default()
    };
    handle.submit(submission).await.unwrap()
}

const OPERATOR: Actor = Actor {
    party: PartyId::NOBODY,
    role: Role::Operator,
    scope: Scope::All,
};

fn create(handle: &Handle, id: &str) -> Wish {
    let (lifecycle, _) = handle.lifecycle_named("shipment").unwrap();
    Wish::Create(Box::new(Create {
        id: NewId::Given(PublicId::new(id).unwrap()),
        lifecycle,
        owner: Owner {
            tenant: TenantId::default(),
            client: PartyId::NOBODY,
            customer: PartyId::NOBODY,
        },
        actor: OPERATOR,
        reference: None,
        contact: None,
        details: (*b"{}").into(),
        occurred_at: None,
        source: "api".into(),
        received_at: handle.clock().now(),
    }))
}

fn report(handle: &Handle, order: &str, status: &str) -> Wish {
    Wish::Change {
        order: OrderRef::Public(PublicId::new(order).unwrap()),
        actor: OPERATOR,
        expected: None,
        change: reported(handle, "scanner-1", status),
    }
}
