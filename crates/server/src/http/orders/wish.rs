//! What is wished for: the fields of a creation, checked by what its lifecycle takes.
//!
//! A field that another lifecycle takes is no unknown one: it is refused with the reason, as leaving it out silently would be a lie.

use model::limits::{MAX_CONTACT_CHARS, MAX_SOURCE_CHARS};
use model::time::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::event_time;
use super::super::fields::Fields;
use super::super::limits::{ADDRESS_CHARS, ITEM_QUANTITY, ORDER_ITEMS};
use super::super::problem::Problem;
use super::super::raw_metadata::WithMetadata;
use super::details::{Customer, Item};

/// The lifecycle of an order whose creation names none (wire contract §4).
const DEFAULT_LIFECYCLE: &str = "shop";

/// An order to be made.
#[derive(ToSchema)]
#[schema(as = NewOrder)]
#[expect(dead_code, reason = "describes what `Wish::read` reads")]
pub(super) struct WishSchema {
    /// `delivery` or `merchant`; `shop` if not given, which is not served yet.
    lifecycle: Option<String>,
    /// Of a merchant order, required. That of a delivery is taken from the customer's profile.
    customer: Option<CustomerSchema>,
    /// Whose delivery it is: a user's id or name. Required of operators and admins; customers order for themselves.
    customer_id: Option<String>,
    /// The customer's own reference, to search by: at most 200 characters.
    customer_reference: Option<String>,
    /// Of a merchant order: the client that it belongs to. Clients may leave it out.
    merchant: Option<String>,
    /// Required of a delivery: 1 to 1,000.
    items: Option<Vec<ItemSchema>>,
    /// Where it goes: at most 500 characters.
    address: Option<String>,
    /// Anything: at most 16 KiB.
    metadata: Option<serde_json::Map<String, Value>>,
    /// When it began in the world, if earlier than now.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
}

/// Who orders.
#[derive(ToSchema)]
#[schema(as = NewCustomer)]
#[expect(dead_code, reason = "describes what `Wish::read` reads")]
struct CustomerSchema {
    /// At most 200 characters.
    name: String,
    /// An e-mail address, a telephone number: at most 320 characters.
    contact: String,
}

/// Something to be ordered.
#[derive(ToSchema)]
#[schema(as = NewItem)]
#[expect(dead_code, reason = "describes what `Wish::read` reads")]
struct ItemSchema {
    /// At most 200 characters.
    name: String,
    /// 1 to 1,000,000.
    quantity: u32,
}

/// The lifecycles that orders are made of by this path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Delivery,
    Merchant,
}

impl Kind {
    pub(super) const fn lifecycle(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Merchant => "merchant",
        }
    }

    /// A delivery of nothing is none; what a merchant sends is the merchant's own affair.
    const fn fewest_items(self) -> usize {
        match self {
            Self::Delivery => 1,
            Self::Merchant => 0,
        }
    }

    /// The one that a body names.
    pub(super) fn read(body: &Value) -> Result<Self, Problem> {
        let wrong = |code, message: &str| Err(Problem::field("lifecycle", code, message));
        let named = match body.get("lifecycle") {
            None | Some(Value::Null) => DEFAULT_LIFECYCLE,
            Some(Value::String(name)) => name,
            Some(_) => return wrong("type", "must be a text"),
        };
        match named {
            "delivery" => Ok(Self::Delivery),
            "merchant" => Ok(Self::Merchant),
            "shop" => wrong(
                "value",
                "is shop, also where none is given, and shop orders are not served yet; there are delivery and merchant",
            ),
            "shipment" => wrong(
                "value",
                "must be delivery or merchant; shipments are made by POST /shipments",
            ),
            "food" => wrong(
                "value",
                "must be delivery or merchant; food orders are made by POST /orders",
            ),
            _ => wrong("value", "must be delivery or merchant"),
        }
    }

    /// The fields that others take and this one does not, with the reason and the cure.
    const fn refused(self) -> &'static [(&'static str, &'static str)] {
        const UNPAID: &str = "is not a field of this lifecycle, whose orders are not paid here: leave it out";
        match self {
            Self::Delivery => &[
                (
                    "customer",
                    "of a delivery is taken from the customer's profile: leave it out, or change the profile",
                ),
                (
                    "merchant",
                    "is not a field of a delivery, which belongs to its customer: leave it out, or make a merchant order",
                ),
                ("payment_method", UNPAID),
                ("expected_total", UNPAID),
            ],
            Self::Merchant => &[
                (
                    "customer_id",
                    "is not a field of a merchant order, whose customer has no account here: say who it is in customer",
                ),
                ("payment_method", UNPAID),
                ("expected_total", UNPAID),
            ],
        }
    }
}

/// A checked wish for an order.
pub(super) struct Wish {
    pub(super) customer: Option<Customer>,
    pub(super) customer_id: Option<Box<str>>,
    pub(super) merchant: Option<Box<str>>,
    pub(super) reference: Option<Box<str>>,
    pub(super) items: Vec<Item>,
    pub(super) address: Option<Box<str>>,
    pub(super) metadata: Option<Box<RawValue>>,
    pub(super) occurred_at: Option<Timestamp>,
}

impl Wish {
    /// Reads what this kind of order takes; all that is wrong is named. `now` bounds its time.
    pub(super) fn read(kind: Kind, body: &WithMetadata, now: Timestamp) -> Result<Self, Problem> {
        let mut fields = Fields::of(&body.value);
        fields.optional("lifecycle");
        let (mut customer, mut customer_id, mut merchant) = (None, None, None);
        let items = match kind {
            Kind::Delivery => {
                customer_id = fields.optional_text("customer_id", MAX_SOURCE_CHARS);
                fields.required("items")
            }
            Kind::Merchant => {
                customer = fields
                    .required("customer")
                    .and_then(|it| read_customer(&mut fields, it));
                merchant = fields.optional_text("merchant", MAX_SOURCE_CHARS);
                fields.optional("items")
            }
        };
        let items = items.map(|items| read_items(&mut fields, kind.fewest_items(), items));
        let reference = fields.optional_text("customer_reference", MAX_SOURCE_CHARS);
        let address = fields.optional_text("address", ADDRESS_CHARS);
        let metadata = body.metadata(&mut fields).map(ToOwned::to_owned);
        let occurred_at = event_time::occurred_at(&mut fields, now);
        for (name, why) in kind.refused() {
            fields.refuse(name, why);
        }
        fields.finish()?;
        Ok(Self {
            customer,
            customer_id: customer_id.map(Into::into),
            merchant: merchant.map(Into::into),
            reference: reference.map(Into::into),
            items: items.unwrap_or_default(),
            address: address.map(Into::into),
            metadata,
            occurred_at,
        })
    }
}

fn read_customer(fields: &mut Fields<'_>, value: &Value) -> Option<Customer> {
    let mut customer = Fields::under(value, "customer.".to_owned());
    let name = customer.text("name", MAX_SOURCE_CHARS);
    let contact = customer.text("contact", MAX_CONTACT_CHARS);
    fields.take_in(customer);
    Some(Customer {
        name: name?.into(),
        contact: Some(contact?.into()),
    })
}

fn read_items(fields: &mut Fields<'_>, fewest: usize, value: &Value) -> Vec<Item> {
    let Some(values) = value.as_array() else {
        fields.complain("items", "type", "must be an array");
        return Vec::new();
    };
    if !(fewest..=ORDER_ITEMS).contains(&values.len()) {
        let found = values.len();
        let message = format!("must have {fewest} to {ORDER_ITEMS} entries, this has {found}");
        fields.complain("items", "length", message);
        return Vec::new();
    }
    let item = |(place, value): (usize, &Value)| {
        let mut item = Fields::under(value, format!("items[{place}]."));
        let name = item.text("name", MAX_SOURCE_CHARS);
        let quantity = item.whole_number("quantity", 1, ITEM_QUANTITY);
        fields.take_in(item);
        Some(Item {
            name: name?.into(),
            quantity: quantity?,
            size: None,
        })
    };
    values.iter().enumerate().filter_map(item).collect()
}
