//! Creating orders.

use model::command::Scope;
use model::decide::{Context, Decision, decide_create, decide_create_again};
use model::head::DelayScale;
use model::ids::{LifecycleId, OrderKey, Owner, PartyId};
use model::role::Role;
use model::time::{Span, Timestamp};
use model::{EntryKind, Lifecycle, Refusal};

use crate::lifecycles::shipped;
use crate::order::{
    ADMIN, CLIENT, CUSTOMER, DRIVER, OWNER, Order, SALT, STRANGER_ID, actor, at, create, version,
};

fn context(lifecycle: &Lifecycle) -> Context<'_> {
    Context {
        lifecycle,
        now: at(60),
        salt: SALT,
        scale: DelayScale::ONE,
        suspects: &[],
        history: &[],
    }
}

#[test]
fn a_creation_is_the_first_entry_and_its_details_are_sealed() {
    let lifecycle = shipped("merchant");
    let (decision, details) = decide_create(
        &context(&lifecycle),
        OrderKey::new(5),
        create().id.id(),
        &create(),
    );
    let Decision::Accepted(entries) = decision else {
        panic!("{decision:?}");
    };
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!(
        (entry.kind, entry.version, entry.order, entry.owner),
        (EntryKind::Created, version(1), OrderKey::new(5), OWNER)
    );
    assert_eq!((entry.occurred_at, entry.recorded_at), (at(60), at(60)));
    assert_eq!(entry.status, lifecycle.initial());
    assert_eq!(details.content(), b"{}");
    let body = entry.body().unwrap();
    assert_eq!(body.details_digest, Some(details.digest()));
    assert_eq!(body.source, Some("api"));
    assert_eq!(body.actor, Some(ADMIN.party));
    assert_eq!(body.role, Some(Role::Admin));
    assert_eq!(body.queued_for, Some(Span::from_seconds(60)));
    assert_eq!((entry.private.as_ref(), body.previous), (None, None));
}

#[test]
fn an_order_that_began_before_it_was_told_keeps_its_time() {
    let lifecycle = shipped("shipment");
    let mut wish = create();
    wish.occurred_at = Some(at(-3600));
    let (decision, _) = decide_create(&context(&lifecycle), OrderKey::new(5), wish.id.id(), &wish);
    let Decision::Accepted(entries) = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(
        (entries[0].occurred_at, entries[0].recorded_at),
        (at(-3600), at(60))
    );

    wish.occurred_at = Some(Timestamp::from_nanos(Timestamp::EARLIEST_EVENT.as_nanos() - 1));
    let (decision, _) = decide_create(&context(&lifecycle), OrderKey::new(5), wish.id.id(), &wish);
    assert_eq!(decision, Decision::Refused(Refusal::OccurredAtOutOfRange));
}

#[test]
fn only_those_whom_the_lifecycle_names_create_and_only_for_themselves() {
    let lifecycle = shipped("merchant");
    let judge = |actor| {
        let mut wish = create();
        wish.actor = actor;
        decide_create(&context(&lifecycle), OrderKey::new(5), wish.id.id(), &wish).0
    };
    assert!(matches!(judge(CLIENT), Decision::Accepted(_)));
    assert_eq!(judge(DRIVER), Decision::Refused(Refusal::Forbidden(Role::Driver)));
    assert_eq!(
        judge(CUSTOMER),
        Decision::Refused(Refusal::Forbidden(Role::Customer))
    );
    let stranger = actor(31, Role::Client, Scope::Client(STRANGER_ID));
    assert_eq!(judge(stranger), Decision::Refused(Refusal::NotYours));
}

#[test]
fn a_creation_with_a_kept_id_is_made_once() {
    let food = shipped("food");
    let order = Order::of(food.clone());
    let again = |wished: &Lifecycle, create: &model::command::Create| {
        decide_create_again(&order.head, &food, wished, create)
    };
    assert_eq!(again(&food, &create()), Decision::Duplicate(version(1)));
    assert_eq!(
        again(&shipped("shop"), &create()),
        Decision::Refused(Refusal::IdTaken)
    );
    let mut of_another = create();
    of_another.owner = Owner {
        customer: PartyId::NOBODY,
        ..OWNER
    };
    assert_eq!(again(&food, &of_another), Decision::Refused(Refusal::IdTaken));
}

#[test]
fn a_creation_with_a_kept_id_is_the_same_under_a_newer_definition() {
    let food = shipped("food");
    let order = Order::of(food.clone());
    let newer = food.canonical_text().replacen("version = 1", "version = 2", 1);
    let newer = Lifecycle::from_toml("food.toml", &newer).unwrap();
    assert_eq!(newer.version(), 2);
    let mut create = create();
    create.lifecycle = LifecycleId::new(99);
    assert_eq!(
        decide_create_again(&order.head, &food, &newer, &create),
        Decision::Duplicate(version(1))
    );
}

#[test]
fn a_creation_made_again_shows_nobody_anothers_order() {
    let food = shipped("food");
    let order = Order::of(food.clone());
    let mut again = create();
    again.actor = actor(31, Role::Customer, Scope::Customer(STRANGER_ID));
    assert_eq!(
        decide_create_again(&order.head, &food, &food, &again),
        Decision::Refused(Refusal::NotYours)
    );
}
