//! The real files, where they are: they are licensed for non-commercial use and so no part of this repository.
//!
//! Every number here was computed from the files by a separate program, not by the code under test.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use server::replay::olist::{Dataset, Notes, Plan, PlannedKind, SkipReason};
use sha2::{Digest, Sha256};

fn what(kind: PlannedKind) -> &'static str {
    match kind {
        PlannedKind::Create => "created",
        PlannedKind::Report { status, .. } => status,
    }
}

#[test]
fn the_real_data_gives_the_counts_that_it_is_known_for() {
    let Some(dir) = std::env::var_os("WAYBILL_OLIST_DIR") else {
        println!("skipped: no Olist data (set WAYBILL_OLIST_DIR)");
        return;
    };
    let (data, problems) = Dataset::read(Path::new(&dir)).unwrap();
    assert_eq!(problems, []);
    let rows = (data.orders.len(), data.items.len(), data.customers.len());
    assert_eq!(rows, (8_135, 8_365, 8_135));
    assert_eq!(
        (data.sellers.len(), data.products.len(), data.geo.len()),
        (1_610, 5_460, 5_816)
    );

    let plan = Plan::of(&data);
    assert_eq!(plan.skipped, BTreeMap::from([(SkipReason::NoItems, 775)]));
    assert_eq!(plan.shipments.len(), 7_433);
    let mut sellers_by_order = BTreeMap::<_, usize>::new();
    for shipment in &plan.shipments {
        *sellers_by_order
            .entry(shipment.reference.split_once('/').unwrap().0)
            .or_default() += 1;
    }
    assert_eq!(sellers_by_order.len(), 8_135 - 775);
    assert_eq!(
        sellers_by_order.values().filter(|sellers| **sellers > 1).count(),
        71
    );
    let clients: HashSet<_> = plan.shipments.iter().map(|shipment| &shipment.client).collect();
    assert_eq!(clients.len(), 1_610);

    let mut steps = BTreeMap::<_, usize>::new();
    for step in &plan.steps {
        *steps.entry(what(step.kind)).or_default() += 1;
    }
    let expected = [
        ("cancelled", 468),
        ("created", 7_433),
        ("delivered", 5_240),
        ("in_transit", 6_424),
        ("in_warehouse", 6_424),
        ("picked_up", 7_433),
    ];
    assert_eq!(steps, BTreeMap::from(expected));
    assert_eq!(
        plan.notes,
        Notes {
            origins_from_city: 14,
            origins_from_state: 0,
            destinations_from_city: 21,
            destinations_from_state: 4,
            invented_cancellations: 468,
            reports_before_creation: 6,
        }
    );
    assert_sizes(&plan);
    assert_eq!(
        timeline_digest(&plan),
        "2332a94c75cd625d31ba0dc90ccedc21452ee588edfe192c3f56ceb195e7c132"
    );
}

fn assert_sizes(plan: &Plan) {
    let parcels = || plan.shipments.iter().map(|shipment| &shipment.parcel);
    let weight_kg: f64 = parcels().map(|parcel| parcel.weight_kg).sum();
    assert!((weight_kg - 18_383.341).abs() < 1e-6, "{weight_kg}");
    // Whole centimetres, so the sums are exact.
    assert_eq!(
        parcels().map(|parcel| parcel.length_cm).sum::<f64>().to_string(),
        "227312"
    );
    assert_eq!(
        parcels().map(|parcel| parcel.height_cm).sum::<f64>().to_string(),
        "142892"
    );
    let uncategorised = parcels().filter(|parcel| parcel.content_description.contains("uncategorised"));
    assert_eq!(uncategorised.count(), 142);
}

/// Of one line a step, `TIME REFERENCE WHAT`: every step and the order of all of them.
fn timeline_digest(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    for step in &plan.steps {
        let reference = &plan.shipments[step.shipment].reference;
        hash.update(format!("{} {reference} {}\n", step.at, what(step.kind)));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
