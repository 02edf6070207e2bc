//! Good rows are kept, bad ones named, bad files refused.

use std::fmt::Write as _;

use model::time::Timestamp;
use server::replay::olist::OrderStatus;

use super::{CUSTOMERS, Folder, GEO, ITEMS, ORDERS, PRODUCTS, gzip};

#[test]
fn a_timestamp_is_read_as_utc() {
    let (data, problems) = Folder::new().read();
    assert_eq!(problems, [""; 0]);
    let order = &data.orders[0];
    assert_eq!(order.status, OrderStatus::Delivered);
    assert_eq!(
        order.purchased_at,
        Timestamp::parse("2017-01-01T10:00:00Z").unwrap()
    );
    assert_eq!(
        order.delivered_at,
        Some(Timestamp::parse("2017-01-05T13:00:00Z").unwrap())
    );
    assert_eq!(data.customers["c1"].zip, "02000");
}

#[test]
fn all_missing_files_are_named_at_once() {
    let folder = Folder::new();
    folder.remove("orders.csv.gz").remove("geo.csv.gz");
    assert_eq!(
        folder.error().to_string(),
        format!(
            "{} lacks orders.csv.gz, geo.csv.gz: name the folder that holds the Olist data, each file as \
             NAME.csv.gz or NAME.csv",
            folder.path().display()
        )
    );
}

#[test]
fn a_plain_file_will_do_and_payments_are_not_needed() {
    let folder = Folder::new();
    folder
        .remove("geo.csv.gz")
        .raw("geo.csv", format!("{GEO}\r\n01000,1,2,a,SP\r\n").as_bytes());
    let (data, problems) = folder.read();
    assert_eq!((data.geo.len(), problems.len()), (1, 0));
}

#[test]
fn missing_columns_are_named_with_those_found() {
    let folder = Folder::new();
    folder.rows("geo", "zip_code_prefix,lat,long,state", "");
    assert_eq!(
        folder.error().to_string(),
        "geo.csv.gz lacks the columns lng, city; it has zip_code_prefix, lat, long, state"
    );
    folder.raw("geo.csv.gz", &gzip(b""));
    assert_eq!(
        folder.error().to_string(),
        "geo.csv.gz lacks the columns zip_code_prefix, lat, lng, city, state; it has none"
    );
    folder.rows("geo", "zip_code_prefix,lat,lng,lat,city,state", "");
    assert_eq!(
        folder.error().to_string(),
        "geo.csv.gz has the column lat more than once"
    );
    folder.rows("geo", "\"zip_code_prefix,lat,lng,city,state", "");
    assert_eq!(
        folder.error().to_string(),
        "geo.csv.gz:1: the header has a quote that is not closed on its line"
    );
}

#[test]
fn a_file_that_is_no_gzip_is_refused() {
    let folder = Folder::new();
    folder.raw("geo.csv.gz", GEO.as_bytes());
    assert_eq!(
        folder.error().to_string(),
        "geo.csv.gz cannot be read: invalid gzip header"
    );
}

#[test]
fn columns_are_found_by_name_behind_a_byte_order_mark() {
    let folder = Folder::new();
    folder.rows(
        "geo",
        "\u{feff}state,extra,city,lng,lat,zip_code_prefix",
        "SP,x,\"a, b\",2,1,01000\n",
    );
    let (data, problems) = folder.read();
    assert_eq!(problems, [""; 0]);
    let row = &data.geo[0];
    assert_eq!(
        (row.zip.as_str(), row.lat, row.lng, row.city.as_str()),
        ("01000", 1.0, 2.0, "a, b")
    );
}

#[test]
fn a_broken_row_is_named_and_the_rest_goes_on() {
    let folder = Folder::new();
    let good = "c1,created,2017-01-01 10:00:00,,,,";
    let rows = [
        format!("o1,{good}"),
        "o2,c1,created,2017-13-01,,,,".to_owned(),
        "o3,c1,created,2017-02-29 10:00:00,,,,".to_owned(),
        "o4,c1,created".to_owned(),
        "o5,c1,created,,,,,".to_owned(),
        "o6,c1,returned,2017-01-01 10:00:00,,,,".to_owned(),
        String::new(),
        format!(" ,{good}"),
        format!("o1,{good}"),
        format!("\"o7,{good}"),
        "o8,c1,created,2017-01-01 10:00:00,2017-01-01T10:00:00,,,".to_owned(),
        "o9,c1,created,2017-01-01 10:00:60,,,,".to_owned(),
        format!("o10,{good}\ro11,{good}"),
        format!("o12,{good}"),
    ];
    folder.rows("orders", ORDERS, rows.join("\n"));
    let (data, problems) = folder.read();
    assert_eq!(
        problems,
        [
            r#"orders.csv.gz:3: order_purchase_timestamp: "2017-13-01" is not YYYY-MM-DD HH:MM:SS"#,
            r#"orders.csv.gz:4: order_purchase_timestamp: "2017-02-29 10:00:00" is not YYYY-MM-DD HH:MM:SS"#,
            "orders.csv.gz:5: has 3 fields, the header has 8",
            "orders.csv.gz:6: order_purchase_timestamp: is empty",
            r#"orders.csv.gz:7: order_status: "returned" is not an order status of Olist"#,
            "orders.csv.gz:9: order_id: is empty",
            r#"orders.csv.gz:10: order_id: "o1" repeats the key of line 2"#,
            "orders.csv.gz:11: has a quote that is not closed on its line",
            r#"orders.csv.gz:12: order_approved_at: "2017-01-01T10:00:00" is not YYYY-MM-DD HH:MM:SS"#,
            r#"orders.csv.gz:13: order_purchase_timestamp: "2017-01-01 10:00:60" is not YYYY-MM-DD HH:MM:SS"#,
            "orders.csv.gz:14: has a carriage return in the middle of its line",
        ]
    );
    let ids: Vec<_> = data.orders.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(ids, ["o1", "o12"]);
}

#[test]
fn a_number_that_makes_no_sense_is_named() {
    let folder = Folder::new();
    folder.rows(
        "items",
        ITEMS,
        "o1,one,p1,s1,1,1\no1,1,p1,s1,1,1\no1,01,p2,s1,1,1\n",
    );
    folder.rows(
        "products",
        PRODUCTS,
        "p1,a,heavy,1,1,1\np2,a,0,1,1,1\np3,a,1,NaN,1,1\np4,a,1,1,,1\n",
    );
    folder.rows("geo", GEO, "01000,-91,0,a,SP\n02000,0,180.5,a,SP\n");
    let (data, problems) = folder.read();
    assert_eq!(
        problems,
        [
            r#"items.csv.gz:2: order_item_id: "one" is not a whole number"#,
            r#"items.csv.gz:4: order_item_id: "o1/1" repeats the key of line 3"#,
            r#"products.csv.gz:2: product_weight_g: "heavy" is not a number above 0"#,
            r#"products.csv.gz:3: product_weight_g: "0" is not a number above 0"#,
            r#"products.csv.gz:4: product_length_cm: "NaN" is not a number above 0"#,
            "products.csv.gz:5: product_height_cm: is empty",
            r#"geo.csv.gz:2: lat: "-91" is not a number from -90 to 90"#,
            r#"geo.csv.gz:3: lng: "180.5" is not a number from -180 to 180"#,
        ]
    );
    assert_eq!(data.items[0].product_id, "p1");
}

#[test]
fn bad_utf8_costs_its_row_only() {
    let folder = Folder::new();
    folder.rows(
        "customers",
        CUSTOMERS,
        b"c1,01000,s\xe3o paulo,SP\nc2,02000,osasco,SP\n",
    );
    let (data, problems) = folder.read();
    assert_eq!(problems, ["customers.csv.gz:2: customer_city: is not UTF-8"]);
    assert!(data.customers.contains_key("c2"));
}

#[test]
fn a_torn_gzip_stream_keeps_the_rows_before_the_tear() {
    let mut text = format!("{GEO}\n");
    for row in 0..5000 {
        writeln!(text, "{row:05},{}.5,{}.25,city {row},SP", row % 90, row % 180).unwrap();
    }
    let whole = gzip(text.as_bytes());
    let folder = Folder::new();
    folder.raw("geo.csv.gz", &whole[..whole.len() / 2]);
    let (data, problems) = folder.read();
    assert!((1000..4000).contains(&data.geo.len()), "{} rows", data.geo.len());
    assert!(
        data.geo
            .iter()
            .enumerate()
            .all(|(at, row)| row.city == format!("city {at}"))
    );
    let line = data.geo.len() + 2;
    assert_eq!(
        problems,
        [format!(
            "geo.csv.gz:{line}: the gzip stream ends here, unfinished: this row and all after it are lost"
        )]
    );
}
