//! The files of the Olist data as typed rows.
//!
//! Every row has been checked by itself: what is a time is one, a size is above zero, a key is there once. Whether rows
//! fit each other (an item whose product is unknown) is for [`super::plan`] to see, which knows what it costs.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use model::time::Timestamp;

use super::cell::{Cell, CellProblem};
use super::table::{DatasetError, Row, RowProblem, locate, read_rows};

const LATITUDES: RangeInclusive<f64> = -90.0..=90.0;
const LONGITUDES: RangeInclusive<f64> = -180.0..=180.0;

/// The files needed. `payments` is not: a shipment has no price, so nothing of it would reach the server.
const FILES: [&str; 6] = ["orders", "items", "customers", "sellers", "products", "geo"];

/// What the files hold.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The orders, in the order of the file.
    pub orders: Vec<Order>,
    /// The items of all orders, in the order of the file.
    pub items: Vec<Item>,
    /// The customers by id.
    pub customers: HashMap<String, Customer>,
    /// The sellers by id.
    pub sellers: HashMap<String, Seller>,
    /// The products by id.
    pub products: HashMap<String, Product>,
    /// The coordinates of zip prefixes, in the order of the file.
    pub geo: Vec<GeoRow>,
}

impl Dataset {
    /// Reads `NAME.csv.gz`, or where that is absent `NAME.csv`, for orders, items, customers, sellers, products and geo.
    ///
    /// Columns are found by name; their order is free and further ones are ignored. Bad rows are left out and told of
    /// beside the data, in the order of the files and lines.
    ///
    /// # Errors
    /// When a file is absent, cannot be read from its start, or lacks a column.
    pub fn read(dir: &Path) -> Result<(Self, Vec<RowProblem>), DatasetError> {
        let [orders, items, customers, sellers, products, geo] = locate_all(dir)?;
        let mut problems = Vec::new();
        let dataset = Self {
            orders: read_rows(&orders, &mut problems)?,
            items: read_rows(&items, &mut problems)?,
            customers: by_id(read_rows(&customers, &mut problems)?, |row: &Customer| &row.id),
            sellers: by_id(read_rows(&sellers, &mut problems)?, |row: &Seller| &row.id),
            products: by_id(read_rows(&products, &mut problems)?, |row: &Product| &row.id),
            geo: read_rows(&geo, &mut problems)?,
        };
        Ok((dataset, problems))
    }
}

fn locate_all(dir: &Path) -> Result<[PathBuf; FILES.len()], DatasetError> {
    let found = FILES.map(|name| locate(dir, name));
    let absent = FILES.iter().zip(&found).filter(|(_, path)| path.is_none());
    let files: Vec<_> = absent.map(|(name, _)| format!("{name}.csv.gz")).collect();
    if !files.is_empty() {
        return Err(DatasetError::MissingFiles {
            dir: dir.to_owned(),
            files,
        });
    }
    Ok(found.map(|path| path.expect("no file is missing: checked above")))
}

fn by_id<R>(rows: Vec<R>, id: impl Fn(&R) -> &String) -> HashMap<String, R> {
    rows.into_iter().map(|row| (id(&row).clone(), row)).collect()
}

/// A row of `orders`. The estimated delivery is not read: it is a promise, not something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// `order_id`.
    pub id: String,
    /// `customer_id`.
    pub customer_id: String,
    /// `order_status`: how the order stood when the data was taken.
    pub status: OrderStatus,
    /// `order_purchase_timestamp`.
    pub purchased_at: Timestamp,
    /// `order_approved_at`.
    pub approved_at: Option<Timestamp>,
    /// `order_delivered_carrier_date`.
    pub handed_over_at: Option<Timestamp>,
    /// `order_delivered_customer_date`.
    pub delivered_at: Option<Timestamp>,
}

impl Row<7> for Order {
    const COLUMNS: [&'static str; 7] = [
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
    ];
    const KEY_COLUMN: &'static str = "order_id";

    fn parse(cells: [Cell<'_>; 7]) -> Result<Self, CellProblem> {
        let [
            id,
            customer_id,
            status,
            purchased_at,
            approved_at,
            handed_over_at,
            delivered_at,
        ] = cells;
        Ok(Self {
            id: id.required()?.to_owned(),
            customer_id: customer_id.required()?.to_owned(),
            status: status.read("an order status of Olist", OrderStatus::from_name)?,
            purchased_at: purchased_at.timestamp()?,
            approved_at: approved_at.optional_timestamp()?,
            handed_over_at: handed_over_at.optional_timestamp()?,
            delivered_at: delivered_at.optional_timestamp()?,
        })
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// How an order stood when the data was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Bought, not paid.
    Created,
    /// Paid.
    Approved,
    /// Billed.
    Invoiced,
    /// Being packed.
    Processing,
    /// With the carrier; no delivery is known.
    Shipped,
    /// With the customer.
    Delivered,
    /// Called off, at any point.
    Canceled,
    /// Called off because it could not be had.
    Unavailable,
}

impl OrderStatus {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "created" => Self::Created,
            "approved" => Self::Approved,
            "invoiced" => Self::Invoiced,
            "processing" => Self::Processing,
            "shipped" => Self::Shipped,
            "delivered" => Self::Delivered,
            "canceled" => Self::Canceled,
            "unavailable" => Self::Unavailable,
            _ => return None,
        })
    }
}

/// A row of `items`: one piece of an order. Prices are not read, for the reason that payments are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `order_id`.
    pub order_id: String,
    /// `order_item_id`: the item's number in its order, from 1.
    pub number: u32,
    /// `product_id`.
    pub product_id: String,
    /// `seller_id`.
    pub seller_id: String,
}

impl Row<4> for Item {
    const COLUMNS: [&'static str; 4] = ["order_id", "order_item_id", "product_id", "seller_id"];
    const KEY_COLUMN: &'static str = "order_item_id";

    fn parse([order_id, number, product_id, seller_id]: [Cell<'_>; 4]) -> Result<Self, CellProblem> {
        Ok(Self {
            order_id: order_id.required()?.to_owned(),
            number: number.read("a whole number", |text| text.parse().ok())?,
            product_id: product_id.required()?.to_owned(),
            seller_id: seller_id.required()?.to_owned(),
        })
    }

    fn key(&self) -> String {
        format!("{}/{}", self.order_id, self.number)
    }
}

/// A row of `customers`: where one order goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// `customer_id`.
    pub id: String,
    /// `customer_zip_code_prefix`: text, with its leading zeros.
    pub zip: String,
    /// `customer_city`.
    pub city: String,
    /// `customer_state`: two letters.
    pub state: String,
}

impl Row<4> for Customer {
    const COLUMNS: [&'static str; 4] = [
        "customer_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ];
    const KEY_COLUMN: &'static str = "customer_id";

    fn parse([id, zip, city, state]: [Cell<'_>; 4]) -> Result<Self, CellProblem> {
        Ok(Self {
            id: id.required()?.to_owned(),
            zip: zip.required()?.to_owned(),
            city: city.required()?.to_owned(),
            state: state.required()?.to_owned(),
        })
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A row of `sellers`: where parcels come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seller {
    /// `seller_id`.
    pub id: String,
    /// `seller_zip_code_prefix`: text, with its leading zeros.
    pub zip: String,
    /// `seller_city`.
    pub city: String,
    /// `seller_state`: two letters.
    pub state: String,
}

impl Row<4> for Seller {
    const COLUMNS: [&'static str; 4] = [
        "seller_id",
        "seller_zip_code_prefix",
        "seller_city",
        "seller_state",
    ];
    const KEY_COLUMN: &'static str = "seller_id";

    fn parse([id, zip, city, state]: [Cell<'_>; 4]) -> Result<Self, CellProblem> {
        Ok(Self {
            id: id.required()?.to_owned(),
            zip: zip.required()?.to_owned(),
            city: city.required()?.to_owned(),
            state: state.required()?.to_owned(),
        })
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A row of `products`. A product without its weight or a size is a bad row: no parcel can be made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// `product_id`.
    pub id: String,
    /// `product_category_name`, Portuguese.
    pub category: Option<String>,
    /// `product_weight_g`.
    pub weight_g: f64,
    /// `product_length_cm`.
    pub length_cm: f64,
    /// `product_height_cm`.
    pub height_cm: f64,
    /// `product_width_cm`.
    pub width_cm: f64,
}

impl Row<6> for Product {
    const COLUMNS: [&'static str; 6] = [
        "product_id",
        "product_category_name",
        "product_weight_g",
        "product_length_cm",
        "product_height_cm",
        "product_width_cm",
    ];
    const KEY_COLUMN: &'static str = "product_id";

    fn parse([id, category, weight, length, height, width]: [Cell<'_>; 6]) -> Result<Self, CellProblem> {
        Ok(Self {
            id: id.required()?.to_owned(),
            category: category.text()?.map(str::to_owned),
            weight_g: weight.positive()?,
            length_cm: length.positive()?,
            height_cm: height.positive()?,
            width_cm: width.positive()?,
        })
    }

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A row of `geo`: where a zip prefix lies, degrees.
#[derive(Clone, Debug, PartialEq)]
pub struct GeoRow {
    /// `zip_code_prefix`: text, with its leading zeros.
    pub zip: String,
    /// `lat`.
    pub lat: f64,
    /// `lng`.
    pub lng: f64,
    /// `city`.
    pub city: String,
    /// `state`: two letters.
    pub state: String,
}

impl Row<5> for GeoRow {
    const COLUMNS: [&'static str; 5] = ["zip_code_prefix", "lat", "lng", "city", "state"];
    const KEY_COLUMN: &'static str = "zip_code_prefix";

    fn parse([zip, lat, lng, city, state]: [Cell<'_>; 5]) -> Result<Self, CellProblem> {
        Ok(Self {
            zip: zip.required()?.to_owned(),
            lat: lat.within(&LATITUDES)?,
            lng: lng.within(&LONGITUDES)?,
            city: city.required()?.to_owned(),
            state: state.required()?.to_owned(),
        })
    }

    fn key(&self) -> String {
        self.zip.clone()
    }
}
