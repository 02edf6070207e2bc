//! The canonical text: read back it gives the same lifecycle, and it is the same for files that mean the same.

use std::fmt::Write as _;

use model::lifecycle::{Lifecycle, SHIPPED, shipped};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

const ROLES: [&str; 6] = ["customer", "client", "driver", "operator", "admin", "system"];
const EFFECTS: [&str; 6] = [
    "reserve_stock",
    "release_stock",
    "consume_stock",
    "return_stock",
    "charge",
    "refund",
];

/// Orders are pinned to these for ever. A changed hash is a changed lifecycle and needs a new version.
#[test]
fn the_shipped_lifecycles_keep_their_hashes() {
    let hashes: Vec<String> = shipped()
        .iter()
        .map(|lifecycle| format!("{} {}", lifecycle.name(), lifecycle.hash()))
        .collect();
    assert_eq!(
        hashes,
        [
            "delivery b1d9489b5057e8981c215e9b561f06a6bd0d0ac992c1a78e4659960c2e85e1f8",
            "merchant 8a96e6eefc5a208ba1c4c99e098f9c60c8a1f43cfe55a7d10605353dae0edff2",
            "shipment 1b1e47bd437b949c2565733e8553f4fc33b54863d2abcd06ddcc74d4fee5c8f8",
            "food 0b80fab430ed39bc525c5d7c8dac14cc3009d064d4fb7adfe82191e64595046f",
            "shop 1a15e14f294626b15cb39d135ad832b01e5279273001fb8d43b3a96500965c1b",
        ]
    );
}

#[test]
fn the_canonical_text_leaves_out_what_has_its_default() {
    let source = r#"
        version = 0x10 # hexadecimal
        name = 'walk'
        arrow = [{ to = "back", after = "120s", by = ["system", "admin", "client"], from = "out" }]
        description = 'To the "end" \ back'
        created_by = ["admin", "client"]
        initial = "out"
        jitter_percent = 0
        state = [{ phase = "moving", name = "out" }, { name = "back", phase = "done" }]
        reports = { park_for = "24h", early = "park", late = "reject" }
    "#;
    let expected = r#"name = "walk"
version = 16
description = "To the \"end\" \\ back"
initial = "out"
created_by = ["client", "admin"]

[reports]
early = "park"

[[state]]
name = "out"
phase = "moving"

[[state]]
name = "back"
phase = "done"

[[arrow]]
from = "out"
to = "back"
by = ["client", "admin"]
after = "2m"
"#;
    let lifecycle = Lifecycle::from_toml("walk.toml", source).unwrap();
    assert_eq!(lifecycle.canonical_text(), expected);
}

#[test]
fn the_shipped_lifecycles_survive_their_canonical_text() {
    for lifecycle in shipped() {
        assert_eq!(
            Lifecycle::from_toml("again.toml", &lifecycle.canonical_text()),
            Ok(lifecycle)
        );
    }
}

#[test]
fn comments_space_and_the_gathering_of_arrows_do_not_change_the_hash_but_the_order_of_states_does() {
    let delivery = SHIPPED[0].text;
    let hash = |text: &str| *Lifecycle::from_toml("delivery.toml", text).unwrap().hash();
    let commented = delivery.replace('\n', " # a comment\r\n\n");
    assert_eq!(hash(&commented), hash(delivery));

    let apart = "[\"created\", \"dispatched\", \"in_transit\"]\nto = \"cancelled\"\nby = [\"customer\", \"operator\", \"admin\"]\n";
    let one = |from: &str| apart.replace("[\"created\", \"dispatched\", \"in_transit\"]", from);
    let parts = ["\"in_transit\"", "\"created\"", "[\"dispatched\"]"]
        .map(one)
        .join("\n[[arrow]]\nfrom = ");
    assert!(delivery.contains(apart));
    assert_eq!(hash(&delivery.replace(apart, &parts)), hash(delivery));

    let state = |name: &str, phase: &str| format!("[[state]]\nname = \"{name}\"\nphase = \"{phase}\"\n\n");
    let (done, stopped) = (state("delivered", "done"), state("cancelled", "stopped"));
    let swapped = delivery.replace(&format!("{done}{stopped}"), &format!("{stopped}{done}"));
    assert_ne!(swapped, delivery);
    assert_ne!(hash(&swapped), hash(delivery));
}

/// What an arrow has besides its ends.
#[derive(Clone, Debug)]
struct Terms {
    by: Vec<&'static str>,
    after: Option<(u16, &'static str)>,
    effects: Vec<&'static str>,
    compensation: Option<Vec<&'static str>>,
}

fn terms() -> impl Strategy<Value = Terms> {
    let after = (1..366u16, prop::sample::select(vec!["ms", "s", "m", "h", "d"]));
    let effects = || subsequence(EFFECTS.to_vec(), 0..=3).prop_shuffle();
    (
        subsequence(ROLES.to_vec(), 1..=6).prop_shuffle(),
        prop::option::of(after),
        effects(),
        prop::option::of(effects()),
    )
        .prop_map(|(by, after, effects, compensation)| Terms {
            by,
            after,
            effects,
            compensation,
        })
}

/// A valid lifecycle: a chain through the open phases to every end, and arrows more.
#[derive(Clone, Debug)]
struct Shape {
    description: String,
    version: u32,
    jitter: u8,
    open: Vec<usize>,
    ends: Vec<bool>,
    more: Vec<(Index, Index)>,
    terms: Vec<Terms>,
    reports: &'static str,
}

fn shape() -> impl Strategy<Value = Shape> {
    let reports = prop::sample::select(vec![
        "",
        "[reports]\n",
        "[reports]\nlate = \"record\"\n",
        "[reports]\nearly = \"record\"\nlate = \"reject\"\n",
        "[reports]\nearly = \"park\"\n",
        "[reports]\npark_for = \"90m\"\nearly = \"park\"\nlate = \"record\"\n",
    ]);
    (
        "[^\\p{Cc}]{1,40}",
        1..=u32::MAX,
        0..=90u8,
        vec(0..3usize, 1..8),
        vec(any::<bool>(), 1..4),
        vec(any::<(Index, Index)>(), 0..12),
        vec(terms(), 24),
        reports,
    )
        .prop_map(
            |(description, version, jitter, mut open, ends, more, terms, reports)| {
                open.sort_unstable();
                Shape {
                    description,
                    version,
                    jitter,
                    open,
                    ends,
                    more,
                    terms,
                    reports,
                }
            },
        )
}

impl Shape {
    fn arrows(&self) -> Vec<(usize, usize)> {
        let (open, all) = (self.open.len(), self.open.len() + self.ends.len());
        let chain = (1..open).map(|to| (to - 1, to));
        let mut arrows: Vec<_> = chain.chain((open..all).map(|end| (open - 1, end))).collect();
        for (from, to) in &self.more {
            let (from, to) = (from.index(open), to.index(all));
            let back = to < open && self.open[to] < self.open[from];
            if from != to && !back && !arrows.contains(&(from, to)) {
                arrows.push((from, to));
            }
        }
        arrows
    }

    /// The definition as a file, its arrows in the given order.
    fn write(&self, arrows: &[(usize, usize)]) -> String {
        let description = self.description.replace('\\', "\\\\").replace('"', "\\\"");
        let (version, jitter) = (self.version, self.jitter);
        let mut text = format!(
            "jitter_percent = {jitter}\ndescription = \"{description}\"\nversion = {version}\nname = \"shape\"\n\
             initial = \"s0\"\ncreated_by = {:?}\n",
            self.terms[0].by
        );
        if let Some(end) = self.ends.iter().position(|done| !done) {
            writeln!(text, "cancelled = \"s{}\"", self.open.len() + end).unwrap();
        }
        text += self.reports;
        let open = self
            .open
            .iter()
            .map(|phase| ["pending", "active", "moving"][*phase]);
        let ends = self
            .ends
            .iter()
            .map(|done| if *done { "done" } else { "stopped" });
        for (place, phase) in open.chain(ends).enumerate() {
            writeln!(text, "[[state]]\nphase = \"{phase}\"\nname = \"s{place}\"").unwrap();
        }
        for (from, to) in arrows {
            let terms = &self.terms[(from * 5 + to) % self.terms.len()];
            writeln!(
                text,
                "[[arrow]]\nby = {:?}\nto = \"s{to}\"\nfrom = [\"s{from}\"]",
                terms.by
            )
            .unwrap();
            writeln!(text, "effects = {:?}", terms.effects).unwrap();
            // The chain's arrow may be automatic, so that no state has two.
            if let Some((number, unit)) = terms.after.filter(|_| *to == from + 1) {
                writeln!(text, "after = \"{number}{unit}\"").unwrap();
            }
            if let Some(compensation) = &terms.compensation {
                writeln!(text, "compensation = {compensation:?}").unwrap();
            }
        }
        text
    }
}

proptest! {
    #[test]
    fn any_lifecycle_survives_its_canonical_text(shape in shape()) {
        let arrows = shape.arrows();
        let source = shape.write(&arrows);
        let lifecycle = Lifecycle::from_toml("shape.toml", &source).unwrap();
        let text = lifecycle.canonical_text();
        let again = Lifecycle::from_toml("canonical.toml", &text).unwrap();
        prop_assert_eq!(&again, &lifecycle);
        prop_assert_eq!(again.canonical_text(), text);

        let reversed: Vec<_> = arrows.into_iter().rev().collect();
        let other = Lifecycle::from_toml("other.toml", &shape.write(&reversed)).unwrap();
        prop_assert_eq!(other.hash(), lifecycle.hash());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}", cut in any::<Index>(), with in ".{0,3}") {
        drop(Lifecycle::from_toml("any.toml", &text));
        let mut damaged: Vec<char> = SHIPPED[4].text.chars().collect();
        let at = cut.index(damaged.len());
        damaged.splice(at..=at, with.chars());
        drop(Lifecycle::from_toml("damaged.toml", &damaged.into_iter().collect::<String>()));
    }
}
