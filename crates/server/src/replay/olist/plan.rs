//! What to send for the Olist data, and when it happened. The mapping is told in [`super`].

mod places;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use model::time::{Span, Timestamp};
use serde_json::json;

use super::dataset::{Dataset, Item, Order, OrderStatus, Product};
use places::Places;
pub use places::{Basis, Place};

/// Longest description that `POST /shipments` takes, in characters.
const MAX_DESCRIPTION_CHARS: usize = 500;
/// From the last thing known of a cancelled order to its cancellation. Invented: the data has no such time.
const CANCELLED_AFTER: Span = Span::from_seconds(3600);
const GRAMS_PER_KILOGRAM: f64 = 1000.0;

/// Everything to send, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The shipments by time of creation, then in the order of the files.
    pub shipments: Vec<PlannedShipment>,
    /// What happens to them, by time.
    pub steps: Vec<PlannedStep>,
    /// What of the data set cannot be sent; [`Plan::limit`] leaves it as it is.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// What in `shipments` and `steps` is a guess or a surprise.
    pub notes: Notes,
}

impl Plan {
    /// Plans the whole data set.
    #[must_use]
    pub fn of(data: &Dataset) -> Self {
        let places = Places::of(&data.geo);
        let mut items = items_by_order(&data.items);
        let mut skipped = BTreeMap::new();
        let mut drafts = Vec::new();
        for order in &data.orders {
            let Some(parcels) = items.remove(order.id.as_str()) else {
                *skipped.entry(SkipReason::NoItems).or_default() += 1;
                continue;
            };
            for (seller_id, items) in parcels {
                match plan_shipment(data, &places, order, seller_id, &items) {
                    Ok(shipment) => drafts.push((shipment, order)),
                    Err(reason) => *skipped.entry(reason).or_default() += 1,
                }
            }
        }
        for _shipment in items.into_values().flatten() {
            *skipped.entry(SkipReason::UnknownOrder).or_default() += 1;
        }
        // Stable: shipments of the same second stay in the order of the files.
        drafts.sort_by_key(|(shipment, _)| shipment.created_at);
        let mut steps: Vec<_> = drafts
            .iter()
            .enumerate()
            .flat_map(|(index, (shipment, order))| plan_steps(index, shipment, order))
            .collect();
        steps.sort_by_key(|step| (step.at, step.kind.rank(), step.shipment));
        let shipments: Vec<_> = drafts.into_iter().map(|(shipment, _)| shipment).collect();
        let notes = Notes::of(&shipments, &steps);
        Self {
            shipments,
            steps,
            skipped,
            notes,
        }
    }

    /// Keeps the first `count` shipments by time of creation, and their steps.
    #[must_use]
    pub fn limit(mut self, count: usize) -> Self {
        self.shipments.truncate(count);
        self.steps.retain(|step| step.shipment < count);
        self.notes = Notes::of(&self.shipments, &self.steps);
        self
    }
}

/// A shipment to create.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedShipment {
    /// `ORDER_ID/SELLER_ID`, unique in the plan.
    pub reference: String,
    /// The name of the client it is for: the seller's id.
    pub client: String,
    /// When it was created: the time of its [`PlannedKind::Create`].
    pub created_at: Timestamp,
    /// The seller's place.
    pub origin: Place,
    /// The customer's place.
    pub destination: Place,
    /// What is sent.
    pub parcel: Parcel,
}

impl PlannedShipment {
    /// The body of `POST /shipments` without `client_id`: one compact JSON object.
    #[must_use]
    pub fn details_json(&self) -> Vec<u8> {
        serde_json::Value::Object(self.details()).to_string().into_bytes()
    }

    /// The members of that object.
    pub(in crate::replay) fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        let Self {
            origin,
            destination,
            parcel,
            ..
        } = self;
        let details = [
            ("origin_address", json!(origin.address)),
            ("origin_lat", json!(origin.lat)),
            ("origin_lng", json!(origin.lng)),
            ("destination_address", json!(destination.address)),
            ("destination_lat", json!(destination.lat)),
            ("destination_lng", json!(destination.lng)),
            ("weight_kg", json!(parcel.weight_kg)),
            ("length_cm", json!(parcel.length_cm)),
            ("width_cm", json!(parcel.width_cm)),
            ("height_cm", json!(parcel.height_cm)),
            ("content_description", json!(parcel.content_description)),
        ];
        details
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// What is sent: weight and sizes are above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The sum of the items' weights.
    pub weight_kg: f64,
    /// The longest item's length.
    pub length_cm: f64,
    /// The widest item's width.
    pub width_cm: f64,
    /// The sum of the items' heights.
    pub height_cm: f64,
    /// The categories with their counts, at most 500 characters.
    pub content_description: String,
}

impl Parcel {
    fn of(products: &[&Product]) -> Self {
        let largest = |size: fn(&Product) -> f64| products.iter().map(|p| size(p)).fold(0.0, f64::max);
        let weight_g: f64 = products.iter().map(|product| product.weight_g).sum();
        Self {
            weight_kg: weight_g / GRAMS_PER_KILOGRAM,
            length_cm: largest(|product| product.length_cm),
            width_cm: largest(|product| product.width_cm),
            height_cm: products.iter().map(|product| product.height_cm).sum(),
            content_description: describe(products),
        }
    }
}

/// `bebes x2, uncategorised x1`.
fn describe(products: &[&Product]) -> String {
    let mut counts = BTreeMap::<&str, u32>::new();
    for product in products {
        *counts
            .entry(product.category.as_deref().unwrap_or("uncategorised"))
            .or_default() += 1;
    }
    let parts: Vec<_> = counts
        .iter()
        .map(|(category, count)| format!("{category} x{count}"))
        .collect();
    let text = parts.join(", ");
    if text.chars().count() <= MAX_DESCRIPTION_CHARS {
        return text;
    }
    text.chars()
        .take(MAX_DESCRIPTION_CHARS - 1)
        .chain(['…'])
        .collect()
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedStep {
    /// When, as the data says: `occurred_at` of a creation, `timestamp` of a report.
    pub at: Timestamp,
    /// To which shipment: its place in [`Plan::shipments`].
    pub shipment: usize,
    /// What.
    pub kind: PlannedKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlannedKind {
    /// The shipment came to be.
    Create,
    /// It was scanned.
    Report {
        /// The status reached.
        status: &'static str,
        /// Who says so.
        source: &'static str,
        /// Latitude and longitude in degrees, where one is known.
        location: Option<(f64, f64)>,
    },
}

impl PlannedKind {
    /// The place in the natural course of a shipment, which decides among steps of the same time.
    pub(in crate::replay) fn rank(&self) -> Option<usize> {
        const COURSE: [&str; 5] = [
            "picked_up",
            "in_warehouse",
            "in_transit",
            "delivered",
            "cancelled",
        ];
        match self {
            Self::Create => None,
            Self::Report { status, .. } => COURSE
                .iter()
                .position(|known| known == status)
                .or(Some(COURSE.len())),
        }
    }
}

/// Why something of the data is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// An order without items: no seller, so no client, and no parcel. Counts orders; all others count shipments.
    NoItems,
    /// Items of an order that is not in the data.
    UnknownOrder,
    /// The order's customer is not in the data.
    UnknownCustomer,
    /// The seller is not in the data.
    UnknownSeller,
    /// The product of one of its items is not in the data: neither weight nor size is known.
    UnknownProduct,
    /// Neither the zip prefix, nor the city, nor the state has coordinates, at one of its two ends.
    NoCoordinates,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoItems => "orders without items",
            Self::UnknownOrder => "shipments of an unknown order",
            Self::UnknownCustomer => "shipments to an unknown customer",
            Self::UnknownSeller => "shipments of an unknown seller",
            Self::UnknownProduct => "shipments with an unknown product",
            Self::NoCoordinates => "shipments without coordinates",
        })
    }
}

/// Counts of what was guessed, and of what a sender may not expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Shipments whose origin is the mean of its city.
    pub origins_from_city: u64,
    /// Shipments whose origin is the mean of its state.
    pub origins_from_state: u64,
    /// Shipments whose destination is the mean of its city.
    pub destinations_from_city: u64,
    /// Shipments whose destination is the mean of its state.
    pub destinations_from_state: u64,
    /// Cancellations, whose times are all invented.
    pub invented_cancellations: u64,
    /// Reports that come before their shipment's creation in [`Plan::steps`].
    pub reports_before_creation: u64,
}

impl Notes {
    fn of(shipments: &[PlannedShipment], steps: &[PlannedStep]) -> Self {
        let origins = |basis| {
            shipments
                .iter()
                .map(|it| u64::from(it.origin.basis == basis))
                .sum()
        };
        let destinations = |basis| {
            shipments
                .iter()
                .map(|it| u64::from(it.destination.basis == basis))
                .sum()
        };
        let cancelled = |kind| {
            matches!(
                kind,
                PlannedKind::Report {
                    status: "cancelled",
                    ..
                }
            )
        };
        let early = |step: &PlannedStep| step.at < shipments[step.shipment].created_at;
        Self {
            origins_from_city: origins(Basis::City),
            origins_from_state: origins(Basis::State),
            destinations_from_city: destinations(Basis::City),
            destinations_from_state: destinations(Basis::State),
            invented_cancellations: steps.iter().map(|step| u64::from(cancelled(step.kind))).sum(),
            reports_before_creation: steps.iter().map(|step| u64::from(early(step))).sum(),
        }
    }
}

/// The items of each order, by seller: sellers in the order of their first item.
fn items_by_order(items: &[Item]) -> HashMap<&str, Vec<(&str, Vec<&Item>)>> {
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by_key(|item| item.number);
    let mut orders: HashMap<&str, Vec<(&str, Vec<&Item>)>> = HashMap::new();
    for item in sorted {
        let sellers = orders.entry(&item.order_id).or_default();
        match sellers.iter_mut().find(|(seller, _)| *seller == item.seller_id) {
            Some((_, items)) => items.push(item),
            None => sellers.push((&item.seller_id, vec![item])),
        }
    }
    orders
}

fn plan_shipment(
    data: &Dataset,
    places: &Places<'_>,
    order: &Order,
    seller_id: &str,
    items: &[&Item],
) -> Result<PlannedShipment, SkipReason> {
    let customer = data
        .customers
        .get(&order.customer_id)
        .ok_or(SkipReason::UnknownCustomer)?;
    let seller = data.sellers.get(seller_id).ok_or(SkipReason::UnknownSeller)?;
    let products: Option<Vec<_>> = items
        .iter()
        .map(|item| data.products.get(&item.product_id))
        .collect();
    let products = products.ok_or(SkipReason::UnknownProduct)?;
    let place = |zip, city, state| places.find(zip, city, state).ok_or(SkipReason::NoCoordinates);
    Ok(PlannedShipment {
        reference: format!("{}/{seller_id}", order.id),
        client: seller_id.to_owned(),
        created_at: order.purchased_at,
        origin: place(&seller.zip, &seller.city, &seller.state)?,
        destination: place(&customer.zip, &customer.city, &customer.state)?,
        parcel: Parcel::of(&products),
    })
}

fn plan_steps(index: usize, shipment: &PlannedShipment, order: &Order) -> Vec<PlannedStep> {
    let (origin, destination) = (shipment.origin.coordinates(), shipment.destination.coordinates());
    let reports = [
        (order.approved_at, "picked_up", "seller", Some(origin)),
        (order.handed_over_at, "in_warehouse", "carrier", Some(origin)),
        (order.handed_over_at, "in_transit", "carrier", None),
        (order.delivered_at, "delivered", "courier", Some(destination)),
        (cancelled_at(order), "cancelled", "marketplace", None),
    ];
    let create = PlannedStep {
        at: order.purchased_at,
        shipment: index,
        kind: PlannedKind::Create,
    };
    let reported = reports.into_iter().filter_map(|(at, status, source, location)| {
        Some(PlannedStep {
            at: at?,
            shipment: index,
            kind: PlannedKind::Report {
                status,
                source,
                location,
            },
        })
    });
    std::iter::once(create).chain(reported).collect()
}

fn cancelled_at(order: &Order) -> Option<Timestamp> {
    let cancelled = match order.status {
        OrderStatus::Canceled | OrderStatus::Unavailable => true,
        OrderStatus::Created
        | OrderStatus::Approved
        | OrderStatus::Invoiced
        | OrderStatus::Processing
        | OrderStatus::Shipped
        | OrderStatus::Delivered => false,
    };
    let known = [
        Some(order.purchased_at),
        order.approved_at,
        order.handed_over_at,
        order.delivered_at,
    ];
    let latest = known.into_iter().flatten().max()?;
    cancelled.then_some(latest + CANCELLED_AFTER)
}
