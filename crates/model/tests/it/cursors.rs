//! Cursors: told to clients, readable only here and in their epoch.

use model::cursor::CursorCodec;
use model::ids::Position;
use proptest::prelude::*;

const KEY: &[u8; 16] = b"the store's key!";

fn codec() -> CursorCodec {
    CursorCodec::new(KEY, &[1; 16])
}

#[test]
fn a_cursor_is_the_same_for_ever() {
    let cursor = codec().encode(Position::new(12_345));
    assert_eq!(cursor, "cur_449zjtnqvakakcd5qvjcjyz2jt");
    assert_eq!(codec().decode(&cursor), Some(Position::new(12_345)));
    assert_eq!(codec().epoch(), "679320d3d70f389a034f668efe20ac15");
    assert_eq!(format!("{:?}", codec()), "CursorCodec(..)");
}

#[test]
fn another_store_or_epoch_does_not_read_it() {
    let cursor = codec().encode(Position::new(12_345));
    let others = [
        CursorCodec::new(b"another store's!", &[1; 16]),
        CursorCodec::new(KEY, &[2; 16]),
    ];
    for other in others {
        assert_eq!(other.decode(&cursor), None);
    }
    assert_ne!(CursorCodec::new(KEY, &[2; 16]).epoch(), codec().epoch());
}

#[test]
fn what_is_no_cursor_is_none() {
    let cursor = codec().encode(Position::new(1));
    let mut altered = cursor.clone();
    altered.replace_range(9..10, if &cursor[9..10] == "0" { "1" } else { "0" });
    let texts = [
        "",
        "cur_",
        "12345",
        &cursor[4..],
        &cursor.to_uppercase(),
        &altered,
    ];
    for text in texts {
        assert_eq!(codec().decode(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn every_position_comes_back(position in 0..(1_i64 << 55)) {
        let position = Position::new(position);
        prop_assert_eq!(codec().decode(&codec().encode(position)), Some(position));
    }
}
