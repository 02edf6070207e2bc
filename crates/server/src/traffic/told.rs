//! What people say when they order: goods, dishes, streets.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::http::orders::details::{Customer, Details, FoodDetails, Item};

const GOODS: [&str; 12] = [
    "USB-C charger",
    "reading lamp",
    "running shoes, 43",
    "coffee beans, 1 kg",
    "paperback",
    "desk fan",
    "wool blanket",
    "rain jacket, M",
    "board game",
    "phone case",
    "water bottle",
    "garden shears",
];
const DISHES: [&str; 8] = [
    "Margherita",
    "Pad Thai",
    "falafel bowl",
    "tom kha",
    "lasagne",
    "ramen",
    "chickpea curry",
    "pierogi",
];
const SIZES: [&str; 3] = ["small", "medium", "large"];
const STREETS: [&str; 6] = [
    "Linden Street",
    "Harbour Lane",
    "Mill Road",
    "Station Square",
    "Church Hill",
    "Park Avenue",
];
const PEOPLE: [&str; 8] = [
    "Ada Hansen",
    "Bruno Keller",
    "Carla Novak",
    "Daan Visser",
    "Elif Demir",
    "Filip Nowak",
    "Greta Lund",
    "Hugo Martin",
];

/// A delivery to a customer.
pub(super) fn delivery(customer: &Customer, city: &str, random: &mut StdRng) -> Details {
    Details {
        customer: Some(customer.clone()),
        items: items(random),
        address: Some(address(city, random)),
        metadata: None,
    }
}

/// A merchant's order for somebody.
pub(super) fn merchant_order(city: &str, random: &mut StdRng) -> Details {
    let name = one_of(&PEOPLE, random);
    let contact = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
    Details {
        customer: Some(Customer {
            name: name.into(),
            contact: Some(contact.into()),
        }),
        items: items(random),
        address: Some(address(city, random)),
        metadata: None,
    }
}

/// A meal.
pub(super) fn meal(city: &str, random: &mut StdRng) -> FoodDetails {
    FoodDetails {
        customer_name: one_of(&PEOPLE, random).into(),
        address: address(city, random),
        item: one_of(&DISHES, random).into(),
        size: one_of(&SIZES, random).into(),
    }
}

fn items(random: &mut StdRng) -> Vec<Item> {
    let count = random.random_range(1..=3);
    let item = |random: &mut StdRng| Item {
        name: one_of(&GOODS, random).into(),
        quantity: random.random_range(1..=4),
        size: None,
    };
    (0..count).map(|_| item(random)).collect()
}

fn address(city: &str, random: &mut StdRng) -> Box<str> {
    let number = random.random_range(1..120u32);
    format!("{number} {}, {city}", one_of(&STREETS, random)).into()
}

fn one_of(words: &[&'static str], random: &mut StdRng) -> &'static str {
    let place = random.random_range(0..words.len().max(1));
    words.get(place).copied().unwrap_or_default()
}
