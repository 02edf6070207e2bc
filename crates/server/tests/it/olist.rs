//! The Olist data: reading it, planning its replay. The rows are made up but for the one test on the real files.

mod dataset;
mod plan;
mod real;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use server::replay::olist::{Dataset, DatasetError, Plan};
use tempfile::TempDir;

pub(crate) const ORDERS: &str = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,\
                      order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date";
pub(crate) const ITEMS: &str = "order_id,order_item_id,product_id,seller_id,price,freight_value";
pub(crate) const CUSTOMERS: &str = "customer_id,customer_zip_code_prefix,customer_city,customer_state";
pub(crate) const SELLERS: &str = "seller_id,seller_zip_code_prefix,seller_city,seller_state";
const PRODUCTS: &str = "product_id,product_category_name,product_weight_g,product_length_cm,product_height_cm,\
                        product_width_cm";
const GEO: &str = "zip_code_prefix,lat,lng,city,state";

/// A folder of made-up data: one delivered order of one item, until a test says otherwise.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.rows(
            "orders",
            ORDERS,
            "o1,c1,delivered,2017-01-01 10:00:00,2017-01-01 11:00:00,2017-01-02 12:00:00,2017-01-05 13:00:00,\n",
        );
        folder.rows("items", ITEMS, "o1,1,p1,s1,9.9,1.5\n");
        folder.rows("customers", CUSTOMERS, "c1,02000,osasco,SP\n");
        folder.rows("sellers", SELLERS, "s1,01000,sao paulo,SP\n");
        folder.rows(
            "products",
            PRODUCTS,
            "p1,bebes,1500,50,19,45\np2,,250,20,5.5,60\n",
        );
        folder.rows(
            "geo",
            GEO,
            "01000,-23.5,-46.5,sao paulo,SP\n02000,-23.25,-46.75,osasco,SP\n03000,-22.5,-47.5,sao paulo,SP\n",
        );
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes `NAME.csv.gz`.
    pub(crate) fn rows(&self, name: &str, header: &str, rows: impl AsRef<[u8]>) -> &Self {
        self.raw(
            &format!("{name}.csv.gz"),
            &gzip(&[header.as_bytes(), b"\n", rows.as_ref()].concat()),
        )
    }

    fn raw(&self, file: &str, bytes: &[u8]) -> &Self {
        fs::write(self.path().join(file), bytes).unwrap();
        self
    }

    fn remove(&self, file: &str) -> &Self {
        fs::remove_file(self.path().join(file)).unwrap();
        self
    }

    /// The data, and the problems as they are printed.
    fn read(&self) -> (Dataset, Vec<String>) {
        let (dataset, problems) = Dataset::read(self.path()).unwrap();
        (dataset, problems.iter().map(ToString::to_string).collect())
    }

    fn error(&self) -> DatasetError {
        Dataset::read(self.path()).unwrap_err()
    }

    fn plan(&self) -> Plan {
        let (dataset, problems) = self.read();
        assert_eq!(problems, [""; 0]);
        Plan::of(&dataset)
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
