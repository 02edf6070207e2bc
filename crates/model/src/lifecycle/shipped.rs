//! The five lifecycles that are part of the binary.

use super::Lifecycle;

/// A definition inside the binary.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The file's name, as errors call it.
    pub file: &'static str,
    /// The file's text.
    pub text: &'static str,
}

/// The shipped definitions, as their files are.
pub const SHIPPED: [Shipped; 5] = [
    Shipped {
        file: "delivery.toml",
        text: include_str!("../../lifecycles/delivery.toml"),
    },
    Shipped {
        file: "merchant.toml",
        text: include_str!("../../lifecycles/merchant.toml"),
    },
    Shipped {
        file: "shipment.toml",
        text: include_str!("../../lifecycles/shipment.toml"),
    },
    Shipped {
        file: "food.toml",
        text: include_str!("../../lifecycles/food.toml"),
    },
    Shipped {
        file: "shop.toml",
        text: include_str!("../../lifecycles/shop.toml"),
    },
];

/// The shipped lifecycles, in the order of [`SHIPPED`].
#[must_use]
pub fn shipped() -> Vec<Lifecycle> {
    SHIPPED
        .iter()
        .map(|Shipped { file, text }| {
            Lifecycle::from_toml(file, text).expect("the shipped lifecycles are valid: a test reads each")
        })
        .collect()
}
