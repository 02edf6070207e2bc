//! Stock never goes below nothing, money never mixes.

use std::collections::BTreeMap;

use model::ids::{OrderKey, ProductKey, Version};
use model::lifecycle::Effect;
use model::money::{Currency, Money};
use model::stock::{Movement, Shortage, StockDraft, StockLevel};
use proptest::prelude::*;

fn level(on_hand: u64, reserved: u64) -> StockLevel {
    StockLevel::new(on_hand, reserved).unwrap()
}

fn units(wanted: &[(i64, u64)]) -> BTreeMap<ProductKey, u64> {
    wanted
        .iter()
        .map(|(product, units)| (ProductKey::new(*product), *units))
        .collect()
}

fn draft(levels: &[(i64, u64)]) -> StockDraft {
    let on_hand = |(product, units): &(i64, u64)| (ProductKey::new(*product), level(*units, 0));
    StockDraft::new(levels.iter().map(on_hand).collect())
}

#[test]
fn effects_move_levels() {
    let start = level(10, 4);
    assert_eq!((start.on_hand(), start.reserved(), start.available()), (10, 4, 6));
    assert_eq!(start.after(Effect::ReserveStock, 6), Some(level(10, 10)));
    assert_eq!(start.after(Effect::ReserveStock, 7), None);
    assert_eq!(start.after(Effect::ReleaseStock, 4), Some(level(10, 0)));
    assert_eq!(start.after(Effect::ReleaseStock, 5), None);
    assert_eq!(start.after(Effect::ConsumeStock, 4), Some(level(6, 0)));
    assert_eq!(start.after(Effect::ConsumeStock, 5), None);
    assert_eq!(start.after(Effect::ReturnStock, 5), Some(level(15, 4)));
    assert_eq!(start.after(Effect::ReturnStock, u64::MAX), None);
    assert_eq!(start.after(Effect::ReserveStock, u64::MAX), None);
    assert_eq!(start.after(Effect::Charge, 5), Some(start));
    assert_eq!(start.after(Effect::Refund, 5), Some(start));
    assert_eq!(StockLevel::new(3, 4), None);
}

#[test]
fn an_order_takes_all_it_needs_or_nothing() {
    let mut stock = draft(&[(1, 5), (2, 0), (3, 1)]);
    let wanted = units(&[(1, 5), (2, 1), (3, 2), (4, 1)]);
    let short = stock.take(OrderKey::new(1), Version::new(2), Effect::ReserveStock, &wanted);
    let shortage = |product, wanted, available| Shortage {
        product: ProductKey::new(product),
        wanted,
        available,
    };
    assert_eq!(
        short,
        Err(vec![shortage(2, 1, 0), shortage(3, 2, 1), shortage(4, 1, 0)])
    );
    assert_eq!(stock.movements(), []);
    assert_eq!(stock.levels()[&ProductKey::new(1)], level(5, 0));

    let wanted = units(&[(1, 5), (3, 1)]);
    stock
        .take(OrderKey::new(2), Version::new(2), Effect::ReserveStock, &wanted)
        .unwrap();
    let movement = |product, units| Movement {
        product: ProductKey::new(product),
        order: OrderKey::new(2),
        version: Version::new(2),
        effect: Effect::ReserveStock,
        units,
    };
    assert_eq!(stock.movements(), [movement(1, 5), movement(3, 1)]);
    assert_eq!(stock.levels()[&ProductKey::new(1)].available(), 0);
}

#[test]
fn a_thousand_buyers_of_ten_units_are_ten() {
    let mut stock = draft(&[(1, 10)]);
    let one = units(&[(1, 1)]);
    let sold = (1..=1_000)
        .filter(|order| {
            stock
                .take(OrderKey::new(*order), Version::new(2), Effect::ReserveStock, &one)
                .is_ok()
        })
        .count();
    assert_eq!((sold, stock.movements().len()), (10, 10));
}

#[test]
fn a_currency_is_three_capitals() {
    assert_eq!(Currency::new("EUR").unwrap().to_string(), "EUR");
    for bad in ["", "EU", "EURO", "eur", "E1R", "ÄB"] {
        assert_eq!(Currency::new(bad), None, "{bad}");
    }
}

fn money(amount: i64, currency: &str) -> Money {
    Money {
        amount,
        currency: Currency::new(currency).unwrap(),
    }
}

#[test]
fn money_adds_up_in_one_currency() {
    assert_eq!(
        money(1_999, "USD").plus(money(1, "USD")),
        Some(money(2_000, "USD"))
    );
    assert_eq!(money(1_999, "USD").plus(money(1, "EUR")), None);
    assert_eq!(money(i64::MAX, "USD").plus(money(1, "USD")), None);
    assert_eq!(money(1_999, "USD").times(3), Some(money(5_997, "USD")));
    assert_eq!(money(1_999, "USD").times(0), Some(money(0, "USD")));
    assert_eq!(money(i64::MAX, "USD").times(2), None);
}

/// What a movement did to a level, as numbers that can be summed.
fn sums(movements: &[Movement], product: ProductKey) -> (i128, i128) {
    let mut sum = (0, 0);
    for movement in movements.iter().filter(|movement| movement.product == product) {
        let units = i128::from(movement.units);
        match movement.effect {
            Effect::ReserveStock => sum.1 += units,
            Effect::ReleaseStock => sum.1 -= units,
            Effect::ConsumeStock => sum = (sum.0 - units, sum.1 - units),
            Effect::ReturnStock => sum.0 += units,
            Effect::Charge | Effect::Refund => {}
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn stock_is_what_its_movements_sum_to(
        takes in prop::collection::vec((prop::sample::select(&Effect::ALL[..]), prop::collection::btree_map(0i64..4, 0u64..6, 0..4)), 0..60),
    ) {
        let start = [(0, 20u64), (1, 5), (2, 0)];
        let mut stock = draft(&start);
        for (effect, wanted) in takes {
            let wanted: Vec<_> = wanted.into_iter().collect();
            let before = (stock.levels().clone(), stock.movements().len());
            let taken = stock.take(OrderKey::new(1), Version::new(2), effect, &units(&wanted));
            match taken {
                Ok(()) => prop_assert_eq!(stock.movements().len(), before.1 + wanted.len()),
                Err(short) => {
                    prop_assert!(!short.is_empty());
                    prop_assert_eq!(&before, &(stock.levels().clone(), stock.movements().len()));
                }
            }
            for (product, level) in stock.levels() {
                let began = start.iter().find(|(key, _)| ProductKey::new(*key) == *product);
                let (on_hand, reserved) = sums(stock.movements(), *product);
                prop_assert_eq!(i128::from(level.on_hand()), i128::from(began.map_or(0, |(_, units)| *units)) + on_hand);
                prop_assert_eq!(i128::from(level.reserved()), reserved);
                prop_assert!(level.on_hand() >= level.reserved());
                prop_assert_eq!(level.available(), level.on_hand() - level.reserved());
            }
        }
    }
}
