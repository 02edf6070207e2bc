//! Stock: what is on hand and what of it is reserved, and how a group of commands draws on many products.
//!
//! The rule is `on_hand ≥ reserved ≥ 0` after every movement, and the sum of all movements of a product is its level. A
//! group of commands loads each product it touches once, into a [`StockDraft`]; each order then takes all it needs or nothing,
//! in memory; what is stored at the end is one level per product and one movement per order and product. A thousand
//! buyers of one product are so one read and one write of it.

use std::collections::BTreeMap;

use crate::ids::{OrderKey, ProductKey, Version};
use crate::lifecycle::Effect;

/// How much of a product there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockLevel {
    on_hand: u64,
    reserved: u64,
}

impl StockLevel {
    /// A level; `None` if more is reserved than there is.
    #[must_use]
    pub fn new(on_hand: u64, reserved: u64) -> Option<Self> {
        (reserved <= on_hand).then_some(Self { on_hand, reserved })
    }

    /// Units in the house.
    #[must_use]
    pub const fn on_hand(self) -> u64 {
        self.on_hand
    }

    /// Units promised to orders.
    #[must_use]
    pub const fn reserved(self) -> u64 {
        self.reserved
    }

    /// Units that can be promised.
    #[must_use]
    pub const fn available(self) -> u64 {
        self.on_hand - self.reserved
    }

    /// The level after an effect on so many units; `None` if it would break the rule. Effects on money change nothing.
    #[must_use]
    pub fn after(self, effect: Effect, units: u64) -> Option<Self> {
        let (on_hand, reserved) = match effect {
            Effect::ReserveStock => (Some(self.on_hand), self.reserved.checked_add(units)),
            Effect::ReleaseStock => (Some(self.on_hand), self.reserved.checked_sub(units)),
            Effect::ConsumeStock => (self.on_hand.checked_sub(units), self.reserved.checked_sub(units)),
            Effect::ReturnStock => (self.on_hand.checked_add(units), Some(self.reserved)),
            Effect::Charge | Effect::Refund => (Some(self.on_hand), Some(self.reserved)),
        };
        Self::new(on_hand?, reserved?)
    }
}

/// One change of one product's level by one order's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The product.
    pub product: ProductKey,
    /// The order.
    pub order: OrderKey,
    /// The entry that made it.
    pub version: Version,
    /// What it did.
    pub effect: Effect,
    /// On so many units.
    pub units: u64,
}

/// A product of which an order wanted more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The product.
    pub product: ProductKey,
    /// Units wanted.
    pub wanted: u64,
    /// Units that could be promised.
    pub available: u64,
}

/// The levels of the products that a group touches, and its movements so far.
#[derive(Clone, Debug, Default)]
pub struct StockDraft {
    levels: BTreeMap<ProductKey, StockLevel>,
    movements: Vec<Movement>,
}

impl StockDraft {
    /// Starts from the stored levels.
    #[must_use]
    pub fn new(levels: BTreeMap<ProductKey, StockLevel>) -> Self {
        Self {
            levels,
            movements: Vec::new(),
        }
    }

    /// Applies an effect to all products of an order, or to none of them.
    ///
    /// # Errors
    /// Every product that falls short.
    pub fn take(
        &mut self,
        order: OrderKey,
        version: Version,
        effect: Effect,
        units: &BTreeMap<ProductKey, u64>,
    ) -> Result<(), Vec<Shortage>> {
        let level = |product| self.levels.get(product).copied().unwrap_or_default();
        let after: Vec<_> = units
            .iter()
            .map(|(product, units)| (*product, level(product).after(effect, *units)))
            .collect();
        let short: Vec<Shortage> = after
            .iter()
            .filter(|(_, after)| after.is_none())
            .map(|(product, _)| Shortage {
                product: *product,
                wanted: units.get(product).copied().unwrap_or_default(),
                available: level(product).available(),
            })
            .collect();
        if !short.is_empty() {
            return Err(short);
        }
        self.levels.extend(
            after
                .into_iter()
                .filter_map(|(product, level)| Some((product, level?))),
        );
        let movement = |(product, units): (&ProductKey, &u64)| Movement {
            product: *product,
            order,
            version,
            effect,
            units: *units,
        };
        self.movements.extend(units.iter().map(movement));
        Ok(())
    }

    /// The levels now.
    #[must_use]
    pub const fn levels(&self) -> &BTreeMap<ProductKey, StockLevel> {
        &self.levels
    }

    /// The movements made, in order.
    #[must_use]
    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }
}
