//! Parties: names outside, numbers inside.

use std::collections::{BTreeMap, BTreeSet};

use model::ids::PartyId;

use super::convert::{party, text_of_bytes};
use super::session::Session;
use crate::error::Error;
use crate::records::PartyKind;

const FIND: &str =
    "SELECT name, party_id FROM parties WHERE tenant_id = 0 AND kind = $1 AND name = ANY($2::bytea[])";

/// The numbers of names, those new ones included. Each statement is a transaction of its own: a name that two nodes bring
/// at once gets one number, and no number is used up by a name that has one.
pub(super) fn numbers(session: &mut Session, kind: PartyKind, names: &[&str]) -> Result<Vec<PartyId>, Error> {
    let number = i16::from(kind.number());
    let mut known = find(session, number, names)?;
    // Sorted, so that two that insert the same names wait for each other in one direction only.
    let missing: BTreeSet<&str> = names
        .iter()
        .copied()
        .filter(|name| !known.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().collect();
        let insert = "INSERT INTO parties (kind, name) SELECT $1::smallint, name FROM UNNEST($2::bytea[]) AS name \
                      ON CONFLICT (tenant_id, kind, name) DO NOTHING";
        session.execute(insert, &[&number, &bytes_of(&missing)])?;
        known.extend(find(session, number, &missing)?);
    }
    names
        .iter()
        .map(|name| {
            let found = known.get(*name).copied();
            found.ok_or_else(|| Error::damaged("a party got no number"))
        })
        .collect()
}

fn bytes_of<'a>(names: &[&'a str]) -> Vec<&'a [u8]> {
    names.iter().map(|name| name.as_bytes()).collect()
}

fn find(session: &mut Session, kind: i16, names: &[&str]) -> Result<BTreeMap<Box<str>, PartyId>, Error> {
    let rows = session.query(FIND, &[&kind, &bytes_of(names)])?;
    rows.iter()
        .map(|row| Ok((text_of_bytes(row, 0)?, party(row, 1)?)))
        .collect()
}

pub(super) fn number(session: &mut Session, kind: PartyKind, name: &str) -> Result<Option<PartyId>, Error> {
    let found = find(session, i16::from(kind.number()), &[name])?;
    Ok(found.into_values().next())
}

pub(super) fn name(session: &mut Session, id: PartyId) -> Result<Option<String>, Error> {
    let sql = "SELECT name FROM parties WHERE party_id = $1::bigint";
    let found = session.first(sql, &[&i64::from(id.get())])?;
    found
        .map(|row| text_of_bytes(&row, 0).map(String::from))
        .transpose()
}
