//! The five lifecycles are what the wire contract says they are.

use model::lifecycle::{EarlyPolicy, Effect, LatePolicy, Lifecycle, SHIPPED, StateId, Step, shipped};
use model::role::{Role, RoleSet};
use model::time::Span;

pub(super) fn named(name: &str) -> Lifecycle {
    shipped()
        .into_iter()
        .find(|lifecycle| lifecycle.name() == name)
        .unwrap()
}

fn roles(set: RoleSet) -> String {
    set.iter().map(Role::name).collect::<Vec<_>>().join(" ")
}

/// One row a state, `name phase letters`: a letter for the wish to come to each state, in order. `A` allowed,
/// `S` same, `L` late, `E` early, `N` never.
fn matrix(lifecycle: &Lifecycle) -> String {
    let mut rows = String::new();
    for from in lifecycle.state_ids() {
        let letters: String = lifecycle
            .state_ids()
            .map(|to| letter(lifecycle.step(from, to)))
            .collect();
        let phase = lifecycle.state(from).unwrap().phase.name();
        rows += &format!("{} {phase} {letters}\n", lifecycle.state_name(from));
    }
    rows
}

fn letter(step: Step<'_>) -> char {
    match step {
        Step::Allowed(_) => 'A',
        Step::Same => 'S',
        Step::Late => 'L',
        Step::Early => 'E',
        Step::Never => 'N',
    }
}

/// One row an arrow: `from to: roles; delay in seconds; effects`.
fn arrows(lifecycle: &Lifecycle) -> String {
    let mut rows = String::new();
    for arrow in lifecycle.arrows() {
        let after = arrow.after.map_or(String::new(), |after| {
            (after.as_nanos() / 1_000_000_000).to_string()
        });
        let effects: Vec<&str> = arrow.effects.iter().map(|effect| effect.name()).collect();
        let (from, to) = (lifecycle.state_name(arrow.from), lifecycle.state_name(arrow.to));
        rows += &format!(
            "{from} {to}: {}; {after}; {}\n",
            roles(arrow.by),
            effects.join(" ")
        );
    }
    rows
}

fn check(name: &str, expected_matrix: &str, expected_arrows: &str) -> Lifecycle {
    let lifecycle = named(name);
    // The tables are indented and aligned to be read.
    let rows = |text: &str| -> Vec<String> {
        let words = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        words.filter(|row| !row.is_empty()).collect()
    };
    assert_eq!(rows(&matrix(&lifecycle)), rows(expected_matrix));
    assert_eq!(rows(&arrows(&lifecycle)), rows(expected_arrows));
    lifecycle
}

#[test]
fn delivery_advances_by_itself_and_can_be_cancelled_until_its_end() {
    let delivery = check(
        "delivery",
        "
        created pending    SAEEA
        dispatched active  LSAEA
        in_transit moving  LLSAA
        delivered done     LLLSN
        cancelled stopped  LLLNS
        ",
        "
        created dispatched: operator admin system; 20;
        created cancelled: customer operator admin; ;
        dispatched in_transit: operator admin system; 40;
        dispatched cancelled: customer operator admin; ;
        in_transit delivered: operator admin system; 60;
        in_transit cancelled: customer operator admin; ;
        ",
    );
    assert_eq!(roles(delivery.created_by()), "customer operator admin");
    assert_eq!(delivery.jitter_percent(), 20);
}

#[test]
fn merchant_is_moved_by_its_api_and_its_drivers() {
    let merchant = check(
        "merchant",
        "
        created pending    SAEEA
        picked_up moving   LSAEA
        in_transit moving  LLSAA
        delivered done     LLLSN
        cancelled stopped  LLLNS
        ",
        "
        created picked_up: client driver operator admin; ;
        created cancelled: client operator admin; ;
        picked_up in_transit: client driver operator admin; ;
        picked_up cancelled: client operator admin; ;
        in_transit delivered: client driver operator admin; ;
        in_transit cancelled: client operator admin; ;
        ",
    );
    assert_eq!(roles(merchant.created_by()), "client operator admin");
    assert_eq!(merchant.jitter_percent(), 0);
}

#[test]
fn shipment_is_moved_by_scan_events_and_cannot_be_cancelled_on_its_last_leg() {
    let shipment = check(
        "shipment",
        "
        created pending      SAEEEA
        picked_up moving     LSAEEA
        in_warehouse moving  LLSAEA
        in_transit moving    LLLSAN
        delivered done       LLLLSN
        cancelled stopped    LLLNNS
        ",
        "
        created picked_up: driver operator admin; ;
        created cancelled: operator admin; ;
        picked_up in_warehouse: driver operator admin; ;
        picked_up cancelled: operator admin; ;
        in_warehouse in_transit: driver operator admin; ;
        in_warehouse cancelled: operator admin; ;
        in_transit delivered: driver operator admin; ;
        ",
    );
    assert_eq!(roles(shipment.created_by()), "client operator admin");
    assert_eq!(shipment.jitter_percent(), 0);
}

#[test]
fn food_advances_by_itself_and_may_come_from_a_broker() {
    let food = check(
        "food",
        "
        PLACED pending           SAEEEA
        PREPARING active         LSAEEA
        COOKING active           LLSAEA
        OUT_FOR_DELIVERY moving  LLLSAA
        DELIVERED done           LLLLSN
        CANCELLED stopped        LLLLNS
        ",
        "
        PLACED PREPARING: operator admin system; 15;
        PLACED CANCELLED: customer operator admin; ;
        PREPARING COOKING: operator admin system; 20;
        PREPARING CANCELLED: customer operator admin; ;
        COOKING OUT_FOR_DELIVERY: operator admin system; 30;
        COOKING CANCELLED: customer operator admin; ;
        OUT_FOR_DELIVERY DELIVERED: operator admin system; 30;
        OUT_FOR_DELIVERY CANCELLED: customer operator admin; ;
        ",
    );
    assert_eq!(roles(food.created_by()), "customer operator admin system");
    assert_eq!(food.jitter_percent(), 20);
}

#[test]
fn shop_reserves_charges_and_fulfils_before_it_ships_by_itself() {
    let shop = check(
        "shop",
        "
        pending pending         SAEEEEEEE
        reserved pending        LSAEEEAAA
        paid active             LLSAEENNA
        fulfilled active        LLLSAENNA
        shipped moving          LLLLSANNN
        delivered done          LLLLLSNNN
        payment_failed stopped  LLNNNNSNN
        expired stopped         LLNNNNNSN
        cancelled stopped       LLLLNNNNS
        ",
        "
        pending reserved: system; 0; reserve_stock
        reserved paid: system; ; charge
        reserved payment_failed: system; ; release_stock
        reserved expired: system; 900; release_stock
        reserved cancelled: customer operator admin; ; release_stock
        paid fulfilled: system; ; consume_stock
        paid cancelled: customer operator admin; ; release_stock refund
        fulfilled shipped: operator admin system; 20;
        fulfilled cancelled: customer operator admin; ; return_stock refund
        shipped delivered: operator admin system; 30;
        ",
    );
    assert_eq!(roles(shop.created_by()), "customer operator admin");
    assert_eq!(shop.jitter_percent(), 20);
    let (reserved, paid) = (
        shop.state_named("reserved").unwrap(),
        shop.state_named("paid").unwrap(),
    );
    assert_eq!(shop.arrow(reserved, paid).unwrap().effects, [Effect::Charge]);
    assert_eq!(shop.automatic(paid), None);
    let (arrow, after) = shop.automatic(reserved).unwrap();
    assert_eq!(
        (shop.state_name(arrow.to), after),
        ("expired", Span::from_seconds(900))
    );
}

#[test]
fn all_five_begin_at_their_first_state_refuse_what_is_out_of_order_and_name_their_cancellation() {
    let names: Vec<String> = shipped()
        .iter()
        .map(|lifecycle| lifecycle.name().to_owned())
        .collect();
    assert_eq!(names, ["delivery", "merchant", "shipment", "food", "shop"]);
    for (lifecycle, file) in shipped().iter().zip(SHIPPED) {
        assert_eq!(file.file, format!("{}.toml", lifecycle.name()));
        assert_eq!(lifecycle.version(), 1);
        assert!(lifecycle.description().ends_with('.'));
        assert_eq!(lifecycle.initial(), StateId::new(0));
        assert_eq!(lifecycle.late(), LatePolicy::Reject);
        assert_eq!(lifecycle.early(), EarlyPolicy::Reject);
        assert_eq!(lifecycle.park_for(), Span::from_seconds(86_400));
        let cancelled = lifecycle.cancelled().unwrap();
        assert_eq!(lifecycle.state_name(cancelled).to_lowercase(), "cancelled");
        assert!(lifecycle.is_final(cancelled));
        assert!(
            lifecycle
                .arrows()
                .iter()
                .all(|arrow| arrow.compensation.is_none())
        );
    }
}

#[test]
fn the_allowed_states_depend_on_the_role() {
    let allowed = |lifecycle: &str, from: &str, role: Role| {
        let lifecycle = named(lifecycle);
        let from = lifecycle.state_named(from).unwrap();
        lifecycle
            .allowed(from, role)
            .map(|to| lifecycle.state_name(to).to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(allowed("merchant", "created", Role::Driver), "picked_up");
    assert_eq!(
        allowed("merchant", "created", Role::Client),
        "picked_up cancelled"
    );
    assert_eq!(allowed("merchant", "created", Role::Customer), "");
    assert_eq!(allowed("shipment", "created", Role::Driver), "picked_up");
    assert_eq!(allowed("shipment", "created", Role::Client), "");
    assert_eq!(allowed("shipment", "in_transit", Role::Operator), "delivered");
    assert_eq!(allowed("delivery", "dispatched", Role::Customer), "cancelled");
    assert_eq!(allowed("delivery", "dispatched", Role::System), "in_transit");
    assert_eq!(allowed("food", "DELIVERED", Role::Admin), "");
    assert_eq!(
        allowed("shop", "reserved", Role::System),
        "paid payment_failed expired"
    );
    assert_eq!(allowed("shop", "reserved", Role::Admin), "cancelled");
}

#[test]
fn an_id_of_another_lifecycle_is_answered_without_panic() {
    let delivery = named("delivery");
    let (first, foreign) = (StateId::new(0), StateId::new(200));
    assert_eq!(delivery.state(foreign), None);
    assert_eq!(delivery.state_name(foreign), "?");
    assert!(!delivery.is_final(foreign));
    assert_eq!(delivery.step(foreign, first), Step::Never);
    assert_eq!(delivery.step(first, foreign), Step::Never);
    assert_eq!(delivery.state_named("lost"), None);
    assert_eq!(delivery.states().len(), 5);
}
