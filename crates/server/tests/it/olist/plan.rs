//! What becomes of orders: shipments, steps, their order, and what is left out.

use server::replay::olist::{Basis, Notes, Plan, PlannedKind, SkipReason};

use super::{CUSTOMERS, Folder, GEO, ITEMS, ORDERS, PRODUCTS, SELLERS};

/// One line a step: time, shipment, what, and for a report its source and place.
fn timeline(plan: &Plan) -> Vec<String> {
    let lines = plan.steps.iter().map(|step| {
        let reference = &plan.shipments[step.shipment].reference;
        let at = step.at.to_string().replace(".000000Z", "");
        match step.kind {
            PlannedKind::Create => format!("{at} {reference} create"),
            PlannedKind::Report {
                status,
                source,
                location: None,
            } => {
                format!("{at} {reference} {status} {source}")
            }
            PlannedKind::Report {
                status,
                source,
                location: Some((lat, lng)),
            } => {
                format!("{at} {reference} {status} {source} {lat},{lng}")
            }
        }
    });
    lines.collect()
}

fn references(plan: &Plan) -> Vec<&str> {
    plan.shipments
        .iter()
        .map(|shipment| shipment.reference.as_str())
        .collect()
}

#[test]
fn a_delivered_order_becomes_a_shipment_and_its_reports() {
    let plan = Folder::new().plan();
    assert_eq!(
        timeline(&plan),
        [
            "2017-01-01T10:00:00 o1/s1 create",
            "2017-01-01T11:00:00 o1/s1 picked_up seller -23.5,-46.5",
            "2017-01-02T12:00:00 o1/s1 in_warehouse carrier -23.5,-46.5",
            "2017-01-02T12:00:00 o1/s1 in_transit carrier",
            "2017-01-05T13:00:00 o1/s1 delivered courier -23.25,-46.75",
        ]
    );
    assert_eq!(plan.shipments[0].client, "s1");
    assert_eq!((plan.skipped.len(), plan.notes), (0, Notes::default()));
}

#[test]
fn the_details_are_the_fields_of_a_shipment_without_its_client() {
    let folder = Folder::new();
    folder.rows("items", ITEMS, "o1,3,p1,s1,1,1\no1,1,p1,s1,1,1\no1,2,p2,s1,1,1\n");
    let details = folder.plan().shipments[0].details_json();
    let expected = serde_json::json!({
        "origin_address": "sao paulo, SP, 01000",
        "origin_lat": -23.5,
        "origin_lng": -46.5,
        "destination_address": "osasco, SP, 02000",
        "destination_lat": -23.25,
        "destination_lng": -46.75,
        "weight_kg": 3.25,
        "length_cm": 50.0,
        "width_cm": 60.0,
        "height_cm": 43.5,
        "content_description": "bebes x2, uncategorised x1",
    });
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&details).unwrap(),
        expected
    );
    assert!(!details.contains(&b'\n') && details.starts_with(b"{\""));
}

#[test]
fn a_long_description_is_cut_to_what_the_server_takes() {
    let folder = Folder::new();
    folder.rows("products", PRODUCTS, format!("p1,{},1,1,1,1\n", "é".repeat(600)));
    let description = folder.plan().shipments.remove(0).parcel.content_description;
    assert_eq!(
        (description.chars().count(), description.chars().last()),
        (500, Some('…'))
    );
}

#[test]
fn an_order_of_two_sellers_becomes_two_shipments() {
    let folder = Folder::new();
    folder.rows("items", ITEMS, "o1,3,p2,s1,1,1\no1,1,p2,s2,1,1\no1,2,p1,s1,1,1\n");
    folder.rows(
        "sellers",
        SELLERS,
        "s1,01000,sao paulo,SP\ns2,03000,sao paulo,SP\n",
    );
    let plan = folder.plan();
    assert_eq!(references(&plan), ["o1/s2", "o1/s1"]);
    assert_eq!(plan.shipments[0].parcel.weight_kg.to_string(), "0.25");
    assert_eq!(plan.shipments[1].parcel.weight_kg.to_string(), "1.75");
    assert_eq!(
        timeline(&plan)[4..8],
        [
            "2017-01-02T12:00:00 o1/s2 in_warehouse carrier -22.5,-47.5",
            "2017-01-02T12:00:00 o1/s1 in_warehouse carrier -23.5,-46.5",
            "2017-01-02T12:00:00 o1/s2 in_transit carrier",
            "2017-01-02T12:00:00 o1/s1 in_transit carrier",
        ]
    );
}

#[test]
fn a_cancellation_comes_an_hour_after_the_last_known_time() {
    let folder = Folder::new();
    folder.rows(
        "orders",
        ORDERS,
        "o1,c1,canceled,2017-01-01 10:00:00,,,,2017-02-01 00:00:00\n\
         o2,c1,unavailable,2017-01-01 09:00:00,2017-01-03 23:30:00,2017-01-02 12:00:00,,2017-02-01 00:00:00\n",
    );
    folder.rows("items", ITEMS, "o1,1,p1,s1,1,1\no2,1,p1,s1,1,1\n");
    let plan = folder.plan();
    assert_eq!(
        timeline(&plan),
        [
            "2017-01-01T09:00:00 o2/s1 create",
            "2017-01-01T10:00:00 o1/s1 create",
            "2017-01-01T11:00:00 o1/s1 cancelled marketplace",
            "2017-01-02T12:00:00 o2/s1 in_warehouse carrier -23.5,-46.5",
            "2017-01-02T12:00:00 o2/s1 in_transit carrier",
            "2017-01-03T23:30:00 o2/s1 picked_up seller -23.5,-46.5",
            "2017-01-04T00:30:00 o2/s1 cancelled marketplace",
        ]
    );
    assert_eq!(plan.notes.invented_cancellations, 2);
}

#[test]
fn times_out_of_order_are_kept_and_equal_times_follow_the_natural_course() {
    let folder = Folder::new();
    let noon = "2017-01-01 12:00:00";
    folder.rows(
        "orders",
        ORDERS,
        format!(
            "o1,c1,delivered,{noon},{noon},{noon},{noon},\n\
             o2,c1,delivered,{noon},2017-01-01 13:00:00,2017-01-01 11:00:00,2017-01-01 10:00:00,\n"
        ),
    );
    folder.rows("items", ITEMS, "o2,1,p1,s1,1,1\no1,1,p1,s1,1,1\n");
    let plan = folder.plan();
    assert_eq!(references(&plan), ["o1/s1", "o2/s1"]);
    assert_eq!(
        timeline(&plan),
        [
            "2017-01-01T10:00:00 o2/s1 delivered courier -23.25,-46.75",
            "2017-01-01T11:00:00 o2/s1 in_warehouse carrier -23.5,-46.5",
            "2017-01-01T11:00:00 o2/s1 in_transit carrier",
            "2017-01-01T12:00:00 o1/s1 create",
            "2017-01-01T12:00:00 o2/s1 create",
            "2017-01-01T12:00:00 o1/s1 picked_up seller -23.5,-46.5",
            "2017-01-01T12:00:00 o1/s1 in_warehouse carrier -23.5,-46.5",
            "2017-01-01T12:00:00 o1/s1 in_transit carrier",
            "2017-01-01T12:00:00 o1/s1 delivered courier -23.25,-46.75",
            "2017-01-01T13:00:00 o2/s1 picked_up seller -23.5,-46.5",
        ]
    );
    assert_eq!(plan.notes.reports_before_creation, 3);
}

#[test]
fn a_zip_without_coordinates_takes_the_mean_of_its_city_else_of_its_state() {
    let folder = Folder::new();
    folder.rows("sellers", SELLERS, "s1,01999,sao paulo,SP\n");
    folder.rows("customers", CUSTOMERS, "c1,02999,santos,SP\n");
    folder.rows(
        "geo",
        GEO,
        "01000,-20,-40,sao paulo,SP\n02000,-24,-44,osasco,SP\n03000,-22,-42,sao paulo,SP\n\
         04000,-1,-1,santos,RJ\n05000,-2,-2,sao paulo,RJ\n",
    );
    let plan = folder.plan();
    let shipment = &plan.shipments[0];
    assert_eq!(
        (shipment.origin.lat, shipment.origin.lng, shipment.origin.basis),
        (-21.0, -41.0, Basis::City)
    );
    assert_eq!(shipment.origin.address, "sao paulo, SP, 01999");
    let destination = &shipment.destination;
    assert_eq!(
        (destination.lat, destination.lng, destination.basis),
        (-22.0, -42.0, Basis::State)
    );
    assert_eq!(
        plan.notes,
        Notes {
            origins_from_city: 1,
            destinations_from_state: 1,
            ..Notes::default()
        }
    );
}

#[test]
fn what_cannot_be_sent_is_counted_by_its_reason() {
    let folder = Folder::new();
    let order = |id: &str, customer: &str| format!("{id},{customer},created,2017-01-01 10:00:00,,,,\n");
    let orders = [
        ("o1", "c1"),
        ("o2", "c1"),
        ("o3", "nobody"),
        ("o4", "c1"),
        ("o5", "c1"),
        ("o6", "c2"),
    ];
    folder.rows(
        "orders",
        ORDERS,
        orders.map(|(id, customer)| order(id, customer)).concat(),
    );
    folder.rows(
        "customers",
        CUSTOMERS,
        "c1,02000,osasco,SP\nc2,09999,nowhere,XX\n",
    );
    folder.rows(
        "items",
        ITEMS,
        "o1,1,p1,s1,1,1\no3,1,p1,s1,1,1\no4,1,p1,s9,1,1\no5,1,p1,s1,1,1\no5,2,p9,s1,1,1\no6,1,p1,s1,1,1\n\
         o9,1,p1,s1,1,1\no9,2,p1,s1,1,1\no9,3,p1,s2,1,1\n",
    );
    let plan = folder.plan();
    assert_eq!(references(&plan), ["o1/s1"]);
    assert_eq!(
        plan.skipped.into_iter().collect::<Vec<_>>(),
        [
            (SkipReason::NoItems, 1),
            (SkipReason::UnknownOrder, 2),
            (SkipReason::UnknownCustomer, 1),
            (SkipReason::UnknownSeller, 1),
            (SkipReason::UnknownProduct, 1),
            (SkipReason::NoCoordinates, 1),
        ]
    );
}

#[test]
fn a_limit_keeps_the_shipments_created_first() {
    let folder = Folder::new();
    folder.rows(
        "orders",
        ORDERS,
        "o1,c1,created,2017-01-03 10:00:00,,,,\n\
         o2,c1,canceled,2017-01-01 10:00:00,2017-01-09 10:00:00,,,\n\
         o3,c1,canceled,2017-01-02 10:00:00,,,,\n",
    );
    folder.rows("items", ITEMS, "o1,1,p1,s1,1,1\no2,1,p1,s1,1,1\no3,1,p1,s1,1,1\n");
    let plan = folder.plan();
    assert_eq!(plan.clone().limit(9), plan);
    let plan = plan.limit(1);
    assert_eq!(references(&plan), ["o2/s1"]);
    assert_eq!(
        timeline(&plan),
        [
            "2017-01-01T10:00:00 o2/s1 create",
            "2017-01-09T10:00:00 o2/s1 picked_up seller -23.5,-46.5",
            "2017-01-09T11:00:00 o2/s1 cancelled marketplace",
        ]
    );
    assert_eq!(plan.notes.invented_cancellations, 1);
    assert_eq!(plan.limit(0).steps, []);
}
