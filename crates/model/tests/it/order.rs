//! One order and as much of an engine as it needs: finds suspects, has commands judged, takes accepted entries in. When it
//! is dropped, its entries must fold to its head.

use model::command::{Actor, Change, Create, NewId, Report, ReportFields, Scope};
use model::decide::{Context, Decision, decide, decide_create};
use model::fingerprint::Fingerprint;
use model::head::DelayScale;
use model::history::Folded;
use model::ids::{LifecycleId, OrderKey, Owner, PartyId, TenantId, Version};
use model::public_id::PublicId;
use model::role::Role;
use model::sealed::Salt;
use model::time::{Span, Timestamp};
use model::{Entry, EntryKind, Head, History, Lifecycle, Refusal};

pub(crate) const CLIENT_ID: PartyId = PartyId::new(11);
pub(crate) const CUSTOMER_ID: PartyId = PartyId::new(12);
pub(crate) const STRANGER_ID: PartyId = PartyId::new(99);
pub(crate) const OWNER: Owner = Owner {
    tenant: TenantId::new(0),
    client: CLIENT_ID,
    customer: CUSTOMER_ID,
};
pub(crate) const SALT: Salt = *b"sixteen of salt!";

pub(crate) const CUSTOMER: Actor = actor(21, Role::Customer, Scope::Customer(CUSTOMER_ID));
pub(crate) const CLIENT: Actor = actor(22, Role::Client, Scope::Client(CLIENT_ID));
pub(crate) const DRIVER: Actor = actor(23, Role::Driver, Scope::Client(CLIENT_ID));
pub(crate) const OPERATOR: Actor = actor(24, Role::Operator, Scope::All);
pub(crate) const ADMIN: Actor = actor(25, Role::Admin, Scope::All);

pub(crate) const fn actor(party: u32, role: Role, scope: Scope) -> Actor {
    Actor {
        party: PartyId::new(party),
        role,
        scope,
    }
}

/// So many seconds after 2026-01-31T10:00:00Z, when orders of these tests begin.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_769_853_600 + seconds).unwrap()
}

pub(crate) fn version(number: u32) -> Version {
    Version::new(number)
}

/// What a scanner says that saw the order so many seconds after its beginning.
pub(crate) fn seen(status: &str, seconds: i64) -> ReportFields {
    ReportFields {
        status: status.into(),
        source: "scanner".into(),
        occurred_at: at(seconds),
        client_event_id: None,
        location: None,
        notes: None,
        metadata: None,
        received_at: at(seconds),
    }
}

pub(crate) fn report_of(fields: ReportFields) -> Change {
    Change::Report(Report::new(fields).unwrap())
}

pub(crate) fn report(status: &str, seconds: i64) -> Change {
    report_of(seen(status, seconds))
}

pub(crate) fn cancel() -> Change {
    Change::Cancel {
        reason: Some("changed their mind".into()),
        source: "api".into(),
    }
}

pub(crate) fn override_to(status: &str, force: bool) -> Change {
    Change::Override {
        status: status.into(),
        reason: "lost papers".into(),
        force,
    }
}

pub(crate) fn correct(strike: u32) -> Change {
    Change::Correct {
        strike: version(strike),
        reason: "wrong parcel".into(),
    }
}

/// The wish for an order of these tests, by an admin.
pub(crate) fn create() -> Create {
    Create {
        id: NewId::Given(PublicId::new("ORD-1").unwrap()),
        lifecycle: LifecycleId::new(3),
        owner: OWNER,
        actor: ADMIN,
        reference: None,
        contact: None,
        details: b"{}".as_slice().into(),
        occurred_at: None,
        source: "api".into(),
        received_at: at(0),
    }
}

pub(crate) struct Order {
    pub(crate) lifecycle: Lifecycle,
    pub(crate) head: Head,
    pub(crate) entries: Vec<Entry>,
    pub(crate) spilled: Vec<Fingerprint>,
    pub(crate) scale: DelayScale,
    now: Timestamp,
}

impl Order {
    /// Created by an admin when the clock says `at(0)`.
    pub(crate) fn of(lifecycle: Lifecycle) -> Self {
        Self::numbered(7, lifecycle, DelayScale::ONE)
    }

    pub(crate) fn numbered(key: i64, lifecycle: Lifecycle, scale: DelayScale) -> Self {
        let context = Context {
            lifecycle: &lifecycle,
            now: at(0),
            salt: SALT,
            scale,
            suspects: &[],
            history: &[],
        };
        let (decision, _) = decide_create(&context, OrderKey::new(key), create().id.id(), &create());
        let Decision::Accepted(entries) = decision else {
            panic!("{decision:?}");
        };
        let head = Head::born(&entries[0], &lifecycle, scale).unwrap();
        Self {
            lifecycle,
            head,
            entries,
            spilled: Vec::new(),
            scale,
            now: at(0),
        }
    }

    pub(crate) fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
    }

    pub(crate) fn status(&self) -> &str {
        self.lifecycle.state_name(self.head.status)
    }

    pub(crate) fn kinds(&self) -> Vec<EntryKind> {
        self.entries.iter().map(|entry| entry.kind).collect()
    }

    pub(crate) fn history(&self) -> History<'_> {
        History::new(&self.lifecycle, &self.entries)
    }

    pub(crate) fn fold(&self) -> Folded {
        self.history().fold(self.scale).unwrap()
    }

    /// Submits a change a second after the one before and takes in what it makes.
    pub(crate) fn submit(&mut self, actor: &Actor, change: &Change) -> Decision {
        self.now = self.now + Span::from_seconds(1);
        self.submit_now(actor, None, change)
    }

    /// Submits a change without moving the clock.
    pub(crate) fn submit_now(
        &mut self,
        actor: &Actor,
        expected: Option<Version>,
        change: &Change,
    ) -> Decision {
        let decision = self.judge(actor, expected, change, &self.suspects(change));
        if let Decision::Accepted(entries) = &decision {
            self.take_in(entries);
        }
        decision
    }

    /// Has a change judged against suspects of the caller's choice; nothing is taken in.
    pub(crate) fn judge(
        &self,
        actor: &Actor,
        expected: Option<Version>,
        change: &Change,
        suspects: &[Entry],
    ) -> Decision {
        let context = Context {
            lifecycle: &self.lifecycle,
            now: self.now,
            salt: SALT,
            scale: self.scale,
            suspects,
            history: match change {
                Change::Correct { .. } => &self.entries,
                Change::Report(_) | Change::Cancel { .. } | Change::Override { .. } | Change::Due { .. } => {
                    &[]
                }
            },
        };
        decide(&context, &self.head, actor, expected, change)
    }

    /// Submits what must be accepted; gives the entries it made.
    pub(crate) fn accept(&mut self, actor: &Actor, change: &Change) -> Vec<Entry> {
        match self.submit(actor, change) {
            Decision::Accepted(entries) => entries,
            other => panic!("{change:?} was to be accepted: {other:?}"),
        }
    }

    /// Submits reports that must be accepted, by an operator, each a second after the one before.
    pub(crate) fn pass(&mut self, statuses: &[&str]) {
        for (status, seconds) in statuses.iter().zip(1_000..) {
            self.accept(&OPERATOR, &report(status, seconds));
        }
    }

    /// Submits what must be refused; gives the reason.
    pub(crate) fn refusal(&mut self, actor: &Actor, change: &Change) -> Refusal {
        let before = (self.head.clone(), self.entries.len());
        match self.submit(actor, change) {
            Decision::Refused(refusal) => {
                assert_eq!(before, (self.head.clone(), self.entries.len()));
                refusal
            }
            other => panic!("{change:?} was to be refused: {other:?}"),
        }
    }

    /// Does at once what the head says is due next, if the clock has come to it.
    pub(crate) fn tick(&mut self) -> Decision {
        let due_at = self.head.due_at().unwrap_or(Timestamp::MAX);
        self.submit_now(&Actor::SYSTEM, None, &Change::Due { due_at })
    }

    /// Does everything that is due at this time.
    pub(crate) fn run_timers_at(&mut self, now: Timestamp) {
        self.now = now;
        while let Decision::Accepted(_) = self.tick() {}
    }

    fn suspects(&self, change: &Change) -> Vec<Entry> {
        let Change::Report(report) = change else {
            return Vec::new();
        };
        let mut versions = Vec::new();
        for hash in report.hashes().iter() {
            versions.extend(self.head.recent.versions_with(hash));
            if self.head.recent.has_older() {
                let older = self.spilled.iter().filter(|older| older.hash() == hash);
                versions.extend(older.map(|older| older.version()));
            }
        }
        versions.sort_unstable();
        versions.dedup();
        versions
            .into_iter()
            .map(|found| self.entry(found).clone())
            .collect()
    }

    pub(crate) fn entry(&self, version: Version) -> &Entry {
        let place = usize::try_from(version.get()).unwrap() - 1;
        &self.entries[place]
    }

    fn take_in(&mut self, entries: &[Entry]) {
        for entry in entries {
            let hashes = entry.report_hashes(&self.lifecycle).unwrap();
            self.head
                .apply(entry, &self.lifecycle, self.scale, &hashes, &mut self.spilled)
                .unwrap();
            self.entries.push(entry.clone());
        }
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let folded = self.fold();
            assert_eq!(folded.head, self.head, "the head is what the entries say");
            assert_eq!(folded.spilled, self.spilled);
        }
    }
}
