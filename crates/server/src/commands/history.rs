//! `waybill history`.

use std::collections::HashMap;

use clap::Args;
use model::command::OrderRef;
use model::ids::PartyId;
use model::public_id::PublicId;
use model::time::Timestamp;
use model::{EntryKind, Lifecycle};
use serde_json::Value;
use store::{ArchiveRecord, LogEntry, OrderRecord, Store};

use super::output::say;
use super::{Ended, Problem, StoreArgs};
use crate::archive_file::hex;

/// Prints the history of one order as a timeline
///
/// Works while a server is running on the same store.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill history 99M-7K3QXW9HV --data-dir waybill-data")]
pub(super) struct History {
    /// The tracking number or order id.
    tracking_number: String,
    #[command(flatten)]
    store: StoreArgs,
}

impl History {
    pub(super) fn run(&self) -> Result<Ended, Problem> {
        let store = self.store.place()?.look_into()?;
        say(&timeline(&*store, &self.tracking_number)?);
        Ok(Ended::Well)
    }
}

/// The timeline of an order, as text.
pub(super) fn timeline(store: &dyn Store, tracking_number: &str) -> Result<String, Problem> {
    let id = PublicId::new(tracking_number)?;
    let order_ref = OrderRef::Public(id.clone());
    let found = store.reading(|reader| {
        let Some(order) = reader.order(&order_ref)? else {
            return Ok(None);
        };
        let (history, archives) = if order.placement.is_archived() {
            (Vec::new(), reader.archives_of(order.head.order)?)
        } else {
            (reader.history(&order)?, Vec::new())
        };
        let mut names: HashMap<PartyId, String> = HashMap::new();
        let actors = history.iter().filter_map(|found| found.entry.body().ok()?.actor);
        for party in actors.chain([order.head.owner.client]) {
            if let Some(name) = reader.party_name(party)? {
                names.insert(party, name);
            }
        }
        Ok(Some((order, history, archives, names)))
    })?;
    let Some((order, history, archives, names)) = found else {
        let hint = if id.check_symbol_holds() {
            ""
        } else {
            ": its check symbol is wrong, look for a slip"
        };
        return Err(format!("there is no order {id}{hint}").into());
    };
    let lifecycles = store.lifecycles()?;
    let lifecycle = lifecycles.iter().find(|stored| stored.id == order.head.lifecycle);
    let lifecycle = &lifecycle
        .ok_or("the order's lifecycle is not stored: run `waybill verify`")?
        .lifecycle;
    let mut lines = heading(&order, lifecycle, &names);
    lines.push(String::new());
    if order.placement.is_archived() {
        lines.push("its history is archived:".to_owned());
        lines.extend(archives.iter().map(archive));
        return Ok(lines.join("\n"));
    }
    let entries: Vec<model::Entry> = history.iter().map(|found| found.entry.clone()).collect();
    let struck = model::History::new(lifecycle, &entries).struck();
    lines.push(format!(
        "{:>3}  {:<27} {:<27} {:<14} WHAT",
        "#", "OCCURRED", "RECORDED", "STATUS"
    ));
    for found in &history {
        lines.push(line(
            found,
            lifecycle,
            &names,
            struck.contains(&found.entry.version),
        )?);
    }
    Ok(lines.join("\n"))
}

fn archive(found: &ArchiveRecord) -> String {
    format!(
        "  {}, which was partition {} until {} (SHA-256 {})",
        printable(&found.file),
        found.partition,
        short_time(found.archived_at),
        hex(&found.sha256)
    )
}

fn heading(order: &OrderRecord, lifecycle: &Lifecycle, names: &HashMap<PartyId, String>) -> Vec<String> {
    let head = &order.head;
    let client = names
        .get(&head.owner.client)
        .map_or_else(|| "nobody".to_owned(), |name| printable(name));
    let mut lines = vec![format!(
        "{}  {} · {} · version {} · client {client}",
        order.public_id,
        lifecycle.name(),
        lifecycle.state_name(head.status),
        head.version
    )];
    lines.extend(
        order
            .reference
            .as_ref()
            .map(|reference| format!("reference {}", printable(reference))),
    );
    let details = order
        .details
        .as_ref()
        .and_then(|details| serde_json::from_slice::<Value>(details.content()).ok());
    let text = |name: &str| {
        details
            .as_ref()
            .and_then(|details| details.get(name)?.as_str().map(printable))
    };
    if let (Some(from), Some(to)) = (text("origin_address"), text("destination_address")) {
        lines.push(format!("from {from} to {to}"));
    }
    lines
}

fn line(
    found: &LogEntry,
    lifecycle: &Lifecycle,
    names: &HashMap<PartyId, String>,
    struck: bool,
) -> Result<String, Problem> {
    let entry = &found.entry;
    let body = entry.body()?;
    let private = entry.private()?;
    let about = || {
        body.about
            .map_or_else(String::new, |version| format!(" #{version}"))
    };
    let mut what = match entry.kind {
        EntryKind::Created => "created".to_owned(),
        EntryKind::StatusApplied => "applied".to_owned(),
        EntryKind::Recorded | EntryKind::Parked => {
            let reported = body.reported.map_or("?", |status| lifecycle.state_name(status));
            format!("{} {reported}", entry.kind.name())
        }
        EntryKind::Released | EntryKind::Abandoned => format!("{}{}", entry.kind.name(), about()),
        EntryKind::Correction => format!("strikes{}", about()),
        EntryKind::Override => "override".to_owned(),
    };
    let mut add = |part: String| {
        what.push_str(" · ");
        what.push_str(&part);
    };
    if let Some(source) = body.source {
        add(printable(source));
    }
    if let Some(actor) = body.actor.and_then(|actor| names.get(&actor)) {
        add(format!("by {}", printable(actor)));
    }
    if let Some(at) = private.location {
        add(format!("at {:.4}, {:.4}", at.lat, at.lng));
    }
    for words in [private.notes, private.reason].into_iter().flatten() {
        add(format!("“{}”", printable(words)));
    }
    if struck {
        add("STRUCK".to_owned());
    }
    let (occurred, recorded) = (short_time(entry.occurred_at), short_time(entry.recorded_at));
    let status = lifecycle.state_name(entry.status);
    Ok(format!(
        "{:>3}  {occurred:<27} {recorded:<27} {status:<14} {what}",
        entry.version.get()
    ))
}

/// A time without the zeros behind its seconds.
fn short_time(at: Timestamp) -> String {
    at.to_string().replace(".000000Z", "Z")
}

/// Text that came from outside, made inert for a terminal: no controls, and nothing that turns the direction of writing.
fn printable(text: &str) -> String {
    let inert = |symbol: char| match symbol {
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
        symbol if symbol.is_control() => '\u{FFFD}',
        symbol => symbol,
    };
    text.chars().map(inert).collect()
}
