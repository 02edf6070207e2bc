//! Orders that move by themselves, made past the front door.

use std::time::{Duration, Instant};

use model::command::{Actor, Change, Create, NewId, OrderRef, Report, ReportFields, Scope};
use model::ids::{Owner, PartyId, TenantId};
use model::public_id::PublicId;
use model::role::Role;
use model::{Entry, EntryKind};
use server::engine::{Command, Handle, Outcome, Submission};
use store::PartyKind;

use super::acknowledged::history;

const OPERATOR: Actor = Actor {
    party: PartyId::NOBODY,
    role: Role::Operator,
    scope: Scope::All,
};
/// Longest that anything waited for may take, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes orders of a customer, as many as there are ids.
pub(crate) async fn create(engine: &Handle, lifecycle: &str, ids: &[String]) {
    let customer = engine
        .party(PartyKind::Customer, "customer_user_001")
        .await
        .unwrap();
    create_as(engine, lifecycle, ids, customer_acts(customer)).await;
}

/// The same by an operator.
pub(crate) async fn create_as_operator(engine: &Handle, lifecycle: &str, ids: &[String]) {
    create_as(engine, lifecycle, ids, OPERATOR).await;
}

/// A report that somebody makes now.
pub(crate) fn reported(engine: &Handle, source: &str, status: &str) -> Change {
    let now = engine.clock().now();
    let report = Report::new(ReportFields {
        status: status.into(),
        source: source.into(),
        occurred_at: now,
        client_event_id: None,
        location: None,
        notes: None,
        metadata: None,
        received_at: now,
    });
    Change::Report(report.unwrap())
}

/// Has an operator report a status.
pub(crate) async fn report(engine: &Handle, id: &str, status: &str) {
    let wish = Command::Change {
        order: OrderRef::Public(PublicId::new(id).unwrap()),
        actor: OPERATOR,
        expected: None,
        change: reported(engine, "scanner-1", status),
    };
    submit(engine, vec![wish]).await;
}

async fn create_as(engine: &Handle, lifecycle: &str, ids: &[String], actor: Actor) {
    let customer = engine
        .party(PartyKind::Customer, "customer_user_001")
        .await
        .unwrap();
    let (lifecycle, _) = engine.lifecycle_named(lifecycle).unwrap();
    let owner = Owner {
        tenant: TenantId::default(),
        client: PartyId::NOBODY,
        customer,
    };
    let wish = |id: &String| {
        Command::Create(Box::new(Create {
            id: NewId::Given(PublicId::new(id).unwrap()),
            lifecycle,
            owner,
            actor,
            reference: None,
            contact: None,
            details: (*b"{}").into(),
            occurred_at: None,
            source: "api".into(),
            received_at: engine.clock().now(),
        }))
    };
    submit(engine, ids.iter().map(wish).collect()).await;
}

/// Cancels an order, as its customer.
pub(crate) async fn cancel(engine: &Handle, id: &str) {
    let customer = engine
        .party(PartyKind::Customer, "customer_user_001")
        .await
        .unwrap();
    let change = Change::Cancel {
        reason: None,
        source: "api".into(),
    };
    let wish = Command::Change {
        order: OrderRef::Public(PublicId::new(id).unwrap()),
        actor: customer_acts(customer),
        expected: None,
        change,
    };
    submit(engine, vec![wish]).await;
}

fn customer_acts(customer: PartyId) -> Actor {
    Actor {
        party: customer,
        role: Role::Customer,
        scope: Scope::Customer(customer),
    }
}

async fn submit(engine: &Handle, commands: Vec<Command>) {
    let submission = Submission {
        commands,
        ..Submission::default()
    };
    for answer in engine.submit_patiently(submission).await.unwrap() {
        assert!(matches!(answer, Ok(Outcome::Accepted(_))), "{answer:?}");
    }
}

/// An order's entries. Blocks for a moment.
pub(crate) fn entries(engine: &Handle, id: &str) -> Vec<Entry> {
    tokio::task::block_in_place(|| history(&**engine.store(), id))
}

/// The statuses of an order, entry by entry.
pub(crate) fn statuses(engine: &Handle, id: &str) -> Vec<String> {
    let name = |entry: &Entry| {
        assert!(matches!(
            entry.kind,
            EntryKind::Created | EntryKind::StatusApplied
        ));
        let lifecycle = engine.lifecycle(entry.lifecycle).unwrap();
        lifecycle.state_name(entry.status).to_owned()
    };
    entries(engine, id).iter().map(name).collect()
}

/// Waits until it is so, which is a matter of the server's next looks at what is due.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
