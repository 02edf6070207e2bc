//! What is wrong with a definition is said with file, line, column and cure.

mod graph;
mod text;

use model::lifecycle::Lifecycle;

/// A valid definition; each test breaks it in one place.
const PARCEL: &str = r#"name = "parcel"
version = 1
description = "A parcel."
initial = "created"
created_by = ["client"]

[[state]]
name = "created"
phase = "pending"

[[state]]
name = "moving"
phase = "moving"

[[state]]
name = "delivered"
phase = "done"

[[arrow]]
from = "created"
to = "moving"
by = ["driver"]

[[arrow]]
from = "moving"
to = "delivered"
by = ["driver"]
"#;

fn errors(text: &str) -> String {
    Lifecycle::from_toml("p.toml", text).unwrap_err().to_string()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(errors(text), expected);
}

/// The errors of the parcel with the first `old` replaced.
#[track_caller]
fn broken(old: &str, new: &str, expected: &str) {
    assert!(PARCEL.contains(old), "{old}");
    refused(&PARCEL.replacen(old, new, 1), expected);
}

#[test]
fn the_parcel_itself_is_valid() {
    assert_eq!(Lifecycle::from_toml("p.toml", PARCEL).unwrap().name(), "parcel");
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let text = PARCEL
        .replace("\"parcel\"", "\"Parcel\"")
        .replace("[\"client\"]", "[\"clinet\"]")
        .replace("to = \"moving\"", "to = \"moveing\"");
    refused(
        &text,
        "p.toml:1:8: name \"Parcel\" is not allowed: use a to z, 0 to 9 and _, a letter first, at \
         most 40 bytes\n\
         p.toml:5:15: unknown role \"clinet\": use one of customer, client, driver, operator, \
         admin, system\n\
         p.toml:21:6: to names the unknown state \"moveing\": use one of created, moving, \
         delivered, or add it as a [[state]]",
    );
    let errors = Lifecycle::from_toml("p.toml", &text).unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error.line(), error.column()))
        .collect();
    assert_eq!(places, [(1, 8), (5, 15), (21, 6)]);
    let first = (&errors).into_iter().next().unwrap();
    assert_eq!(first.file(), "p.toml");
    assert_eq!(first.message(), "name \"Parcel\" is not allowed");
    assert_eq!(
        first.cure(),
        "use a to z, 0 to 9 and _, a letter first, at most 40 bytes"
    );
}

#[test]
fn columns_are_counted_in_characters_without_the_byte_order_mark() {
    assert!(errors("\u{feff}nam = 1").starts_with("p.toml:1:1: unknown key \"nam\""));
    let text = PARCEL.replace("\"driver\"", "\"é→\", \"driver\"");
    assert!(errors(&text).starts_with("p.toml:22:7: unknown role \"é→\""));
    let text = PARCEL.replace("\"driver\"", "\"client\", \"é\", \"x\"");
    assert!(errors(&text).contains("p.toml:22:22: unknown role \"x\""));
}
