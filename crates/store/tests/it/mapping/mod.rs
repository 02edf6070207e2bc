//! The relations that other tools read, and the log that the schema keeps as it is.

mod immutable;
mod relations;
mod verified;

use model::command::Change;
use model::ids::Version;
use store::Store;

use crate::orders::{Clerk, changed, created, meal, reported};

const ANA: &str = r#"{"customer_name":"Ana \"A\" Ünal","address":"1 Main St\nFlat 2","item":"Pad \\u0000 Thai","size":"medium"}"#;
const NUL: &str = r#"{"customer_name":"a\u0000b","address":"\\\u0000","item":"x","size":"large"}"#;

/// Two parcels, and four meals: one that was corrected, one that was cancelled, one that is new, one of which other things were told.
fn meals(store: &dyn Store) {
    let mut clerk = Clerk::of(store);
    clerk.write(&[created("A-1"), meal("ORD-A", ANA), meal("ORD-B", NUL)]);
    clerk.write(&[reported("ORD-A", "PREPARING"), reported("A-1", "picked_up")]);
    let correct = Change::Correct {
        strike: Version::new(2),
        reason: "not yet".into(),
    };
    clerk.write(&[changed("ORD-A", correct)]);
    clerk.write(&[
        reported("ORD-A", "PREPARING"),
        reported("ORD-A", "COOKING"),
        created("A-2"),
    ]);
    let cancel = Change::Cancel {
        reason: None,
        source: "api".into(),
    };
    clerk.write(&[
        changed("ORD-B", cancel),
        meal("ORD-C", r#"{"customer_name":"C"}"#),
        meal("ORD-D", r#"["something else"]"#),
    ]);
}

const ORDER_COLUMNS: [&str; 8] = [
    "order_id",
    "customer_name",
    "address",
    "item",
    "size",
    "status",
    "created_at",
    "updated_at",
];
const EVENT_COLUMNS: [&str; 5] = ["id", "order_id", "event", "timestamp", "meta"];
