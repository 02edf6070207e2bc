//! Bytes that change in the file itself, as on a bad disk.

use std::fs;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::{base, copy, report};

const FLIPS: u32 = 40;
const PAGE_BYTES: usize = 8192;

/// Marsaglia's xorshift: the same offsets on every run.
fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 16).unwrap()
}

/// Every value that is stored; what cannot be read is part of it too.
fn dump(raw: &Connection) -> Vec<String> {
    let tables = [
        "lifecycles",
        "order_identities",
        "order_heads",
        "older_fingerprints",
        "entries",
        "commits",
        "status_counts",
    ];
    tables
        .iter()
        .map(|table| dump_table(raw, table).unwrap_or_else(|error| error.to_string()))
        .collect()
}

fn dump_table(raw: &Connection, table: &str) -> rusqlite::Result<String> {
    let mut select = raw.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = select.column_count();
    let mut rows = select.query([])?;
    let mut text = String::new();
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            text.push_str(&format!("{:?} ", row.get::<_, Value>(column)?));
        }
    }
    Ok(text)
}

fn pages_of(table: &str, raw: &Connection) -> Vec<usize> {
    let mut select = raw.prepare("SELECT pageno FROM dbstat WHERE name = ?1").unwrap();
    let pages = select.query_map([table], |row| row.get::<_, u32>(0)).unwrap();
    pages
        .map(|page| usize::try_from(page.unwrap()).unwrap())
        .collect()
}

#[test]
fn a_flipped_byte_of_the_log_never_passes_for_well() {
    flip_bytes_of("entries");
}

#[test]
fn a_flipped_byte_of_a_head_never_passes_for_well() {
    flip_bytes_of("order_heads");
}

#[test]
fn a_flipped_byte_of_an_order_never_passes_for_well() {
    flip_bytes_of("order_identities");
}

fn flip_bytes_of(table: &str) {
    let sound = dump(&base().raw());
    let pages = pages_of(table, &base().raw());
    let (mut seed, mut changed) = (0x9E37_79B9_7F4A_7C15, 0);
    // A page has room that is not used: a flip there harms nobody and does not count.
    for flip in 0..10 * FLIPS {
        if changed == FLIPS / 2 {
            break;
        }
        let folder = copy();
        let page = pages[next(&mut seed) % pages.len()];
        let offset = (page - 1) * PAGE_BYTES + next(&mut seed) % PAGE_BYTES;
        let mut bytes = fs::read(folder.database()).unwrap();
        bytes[offset] ^= u8::try_from(next(&mut seed) % 255 + 1).unwrap();
        fs::write(folder.database(), &bytes).unwrap();
        let is_changed = dump(&folder.raw()) != sound;
        changed += u32::from(is_changed);
        if let (true, Ok(report)) = (is_changed, report(&folder)) {
            assert!(
                !report.findings.is_empty(),
                "flip {flip} of {table} at {offset} changed a value and was not found"
            );
        }
    }
    assert_eq!(changed, FLIPS / 2, "too few flips changed anything");
}
