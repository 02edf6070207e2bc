//! The stored form of entries, which is for ever: what is written today is what the golden files hold, and what they hold
//! reads back as it was meant. A change of these files is a change of format, and that needs a new number.

use std::fmt::Write;

use model::entry::{Body, ENTRY_FORMAT, FormatError, Location, PrivateBody};
use model::ids::{LifecycleId, OrderKey, Owner, PartyId, TenantId};
use model::role::Role;
use model::sealed::{SealDigest, Sealed};
use model::time::Span;
use model::{Entry, EntryKind, StateId};
use sha2::{Digest, Sha256};

use crate::order::{SALT, at, version};

const FILES: [(&str, &str); 9] = [
    ("created", include_str!("../golden/v1/created.txt")),
    ("status_applied", include_str!("../golden/v1/status_applied.txt")),
    (
        "inexact_location",
        include_str!("../golden/v1/inexact_location.txt"),
    ),
    ("recorded", include_str!("../golden/v1/recorded.txt")),
    ("parked", include_str!("../golden/v1/parked.txt")),
    ("released", include_str!("../golden/v1/released.txt")),
    ("abandoned", include_str!("../golden/v1/abandoned.txt")),
    ("correction", include_str!("../golden/v1/correction.txt")),
    ("override", include_str!("../golden/v1/override.txt")),
];

/// A golden file's name with what it holds.
type Golden = (&'static str, EntryKind, Body<'static>, PrivateBody<'static>);

fn reported() -> Body<'static> {
    Body {
        source: Some("scanner-7"),
        actor: Some(PartyId::new(23)),
        role: Some(Role::Driver),
        queued_for: Some(Span::from_nanos(1_234_567)),
        client_event_id: Some("scan-1"),
        previous: Some(StateId::new(1)),
        ..Body::default()
    }
}

fn about(number: u32) -> Body<'static> {
    Body {
        actor: Some(PartyId::NOBODY),
        role: Some(Role::System),
        previous: Some(StateId::new(1)),
        about: Some(version(number)),
        ..Body::default()
    }
}

fn because(reason: &'static str) -> PrivateBody<'static> {
    PrivateBody {
        reason: Some(reason),
        ..PrivateBody::default()
    }
}

fn seen_at(lat: f64, lng: f64) -> PrivateBody<'static> {
    PrivateBody {
        location: Some(Location { lat, lng }),
        notes: Some("beim Pförtner"),
        metadata: Some(b"{\"temperature\": 4.5}"),
        reason: None,
    }
}

fn goldens() -> [Golden; 9] {
    let created = Body {
        client_event_id: None,
        previous: None,
        details_digest: SealDigest::from_bytes(b"digest of detail"),
        public_id: Some("99M-7K3QXW9HV"),
        ..reported()
    };
    let kept = Body {
        reported: Some(StateId::new(3)),
        ..reported()
    };
    let parked = Body {
        wait_until: Some(at(3_600)),
        ..kept
    };
    let nothing = PrivateBody::default();
    [
        ("created", EntryKind::Created, created, nothing),
        (
            "status_applied",
            EntryKind::StatusApplied,
            reported(),
            seen_at(52.520_006_6, -13.404_954),
        ),
        (
            "inexact_location",
            EntryKind::StatusApplied,
            reported(),
            seen_at(52.520_006_612_345, -0.0),
        ),
        ("recorded", EntryKind::Recorded, kept, seen_at(-90.0, 180.0)),
        ("parked", EntryKind::Parked, parked, nothing),
        ("released", EntryKind::Released, about(4), nothing),
        ("abandoned", EntryKind::Abandoned, about(300), nothing),
        (
            "correction",
            EntryKind::Correction,
            about(9_999),
            because("wrong parcel"),
        ),
        (
            "override",
            EntryKind::Override,
            reported(),
            because("lost papers"),
        ),
    ]
}

fn entry(kind: EntryKind, body: Vec<u8>, private: Option<Sealed>) -> Entry {
    Entry {
        order: OrderKey::new(0x0001_0203_0405_0607),
        version: version(5),
        kind,
        format: ENTRY_FORMAT,
        lifecycle: LifecycleId::new(3),
        owner: Owner {
            tenant: TenantId::new(0),
            client: PartyId::new(11),
            customer: PartyId::new(12),
        },
        status: StateId::new(2),
        occurred_at: at(5),
        recorded_at: at(6),
        body,
        private,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs.map(|pair| u8::from_str_radix(&pair, 16).unwrap()).collect()
}

fn stored(name: &str) -> &'static str {
    let mut files = FILES.iter();
    let file = files.find(|(file, _)| *file == name);
    file.map_or_else(|| panic!("there is no {name}.txt"), |(_, text)| text)
}

fn line<'t>(text: &'t str, key: &str) -> &'t str {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(key)).unwrap().trim()
}

#[test]
fn every_kind_has_a_golden_file() {
    let kinds = goldens().map(|(_, kind, _, _)| kind);
    assert!(EntryKind::ALL.iter().all(|kind| kinds.contains(kind)));
}

#[test]
fn what_is_written_today_is_what_the_golden_files_hold() {
    for (name, kind, mut body, private) in goldens() {
        let sealed = private.seal(&SALT);
        body.private_digest = sealed.as_ref().map(Sealed::digest);
        let entry = entry(kind, body.encode(), sealed);
        let mut digest = Sha256::new();
        entry.digest_into(&mut digest);
        let written = format!(
            "body {}\nprivate {}\ndigest {}\n",
            hex(&entry.body),
            hex(entry.private.as_ref().map_or(&[][..], Sealed::as_bytes)),
            hex(&digest.finalize()),
        );
        assert_eq!(written, stored(name), "{name}");
    }
}

#[test]
fn what_the_golden_files_hold_is_read_as_it_was_meant() {
    for (name, kind, mut body, private) in goldens() {
        let text = stored(name);
        let sealed = Sealed::from_bytes(unhex(line(text, "private")));
        body.private_digest = sealed.as_ref().map(Sealed::digest);
        let entry = entry(kind, unhex(line(text, "body")), sealed);
        assert_eq!(entry.body().unwrap(), body, "{name}");
        assert_eq!(entry.private().unwrap(), private, "{name}");
        let lng = entry.private().unwrap().location.map(|at| at.lng.to_bits());
        assert_eq!(
            lng,
            private.location.map(|at| at.lng.to_bits()),
            "{name}: to the bit"
        );
    }
}

#[test]
fn kinds_keep_their_numbers_and_names() {
    let told = EntryKind::ALL.map(|kind| (kind.number(), kind.name()));
    assert_eq!(
        told,
        [
            (1, "created"),
            (2, "status_applied"),
            (3, "recorded"),
            (4, "parked"),
            (5, "released"),
            (6, "abandoned"),
            (7, "correction"),
            (8, "override"),
        ]
    );
    assert!(
        EntryKind::ALL
            .iter()
            .all(|kind| EntryKind::from_number(kind.number()) == Some(*kind))
    );
    assert_eq!(
        (EntryKind::from_number(0), EntryKind::from_number(9)),
        (None, None)
    );
}

#[test]
fn a_format_of_the_future_is_not_guessed_at() {
    let mut entry = entry(EntryKind::Recorded, reported().encode(), because("x").seal(&SALT));
    entry.format = 2;
    assert_eq!(entry.body(), Err(FormatError::Unknown(2)));
    assert_eq!(entry.private(), Err(FormatError::Unknown(2)));
    assert_eq!(entry.reported_status(), Err(FormatError::Unknown(2)));
}

#[test]
fn damaged_bodies_are_said_to_be() {
    // Nothing; a text; a text for an actor; an unknown role; a digest of 3 bytes.
    let bodies: [&[u8]; 5] = [
        b"",
        b"\x61a",
        b"\xa1\x01\x61a",
        b"\xa1\x02\x07",
        b"\xa1\x08\x43abc",
    ];
    for bytes in bodies {
        let entry = entry(
            EntryKind::Recorded,
            bytes.to_vec(),
            Some(Sealed::new(&SALT, b"\xff")),
        );
        assert!(matches!(entry.body(), Err(FormatError::Damaged(_))), "{bytes:?}");
        assert!(matches!(entry.private(), Err(FormatError::Damaged(_))));
    }
    let error = entry(EntryKind::Recorded, b"\xa1\x02\x07".to_vec(), None)
        .body()
        .unwrap_err();
    assert_eq!(error.to_string(), "damaged entry body: unknown role");
}

#[test]
fn members_that_a_later_version_added_are_passed_over() {
    let bytes = b"\xa3\x00\x61a\x18\x63\x82\x01\x61x\x07\x05".to_vec();
    let entry = entry(
        EntryKind::Recorded,
        bytes,
        Some(Sealed::new(&SALT, b"\xa2\x04\x61n\x18\x63\xf5")),
    );
    let body = entry.body().unwrap();
    assert_eq!((body.source, body.about), (Some("a"), Some(version(5))));
    assert_eq!(entry.private().unwrap().notes, Some("n"));
}

#[test]
fn a_seal_hides_and_survives_its_content() {
    let sealed = Sealed::new(&SALT, b"Ann");
    assert_eq!(
        (sealed.content(), sealed.as_bytes().len()),
        (b"Ann".as_slice(), 19)
    );
    assert_ne!(sealed.digest(), Sealed::new(b"another sixteen!", b"Ann").digest());
    assert_eq!(
        Sealed::from_bytes(sealed.as_bytes().to_vec()),
        Some(sealed.clone())
    );
    assert_eq!(Sealed::from_bytes(vec![0; 15]), None);
    assert_eq!(
        SealDigest::from_bytes(sealed.digest().as_bytes()),
        Some(sealed.digest())
    );
    assert_eq!(SealDigest::from_bytes(&[0; 15]), None);
    assert_eq!(PrivateBody::default().seal(&SALT), None);
}

#[test]
fn a_digest_covers_every_field_of_the_header_and_the_body() {
    let digest = |change: fn(&mut Entry)| {
        let mut entry = entry(EntryKind::Recorded, reported().encode(), None);
        change(&mut entry);
        let mut digest = Sha256::new();
        entry.digest_into(&mut digest);
        hex(&digest.finalize())
    };
    let changes: [fn(&mut Entry); 13] = [
        |_| {},
        |it| it.order = it.order.next(),
        |it| it.version = it.version.next(),
        |it| it.kind = EntryKind::Parked,
        |it| it.format = 2,
        |it| it.lifecycle = LifecycleId::new(4),
        |it| it.owner.tenant = TenantId::new(1),
        |it| it.owner.client = PartyId::NOBODY,
        |it| it.owner.customer = PartyId::NOBODY,
        |it| it.status = StateId::new(0),
        |it| it.occurred_at = it.occurred_at.next_micro(),
        |it| it.recorded_at = it.recorded_at.next_micro(),
        |it| it.body.push(0),
    ];
    let mut digests = changes.map(digest);
    digests.sort();
    assert!(digests.windows(2).all(|pair| pair[0] != pair[1]));
    let sealed = digest(|it| it.private = Some(Sealed::new(&SALT, b"Ann")));
    assert!(
        digests.contains(&sealed),
        "the sealed part is covered by its digest in the body"
    );
}
