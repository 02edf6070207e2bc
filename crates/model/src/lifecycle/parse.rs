//! From the text of a file to a draft: TOML, keys, types and words. What the draft means as a whole is
//! checked by `validate`.

mod section;

use toml::de::{DeTable, DeValue};

use self::section::{ARROW, LIFECYCLE, Layout, REPORTS, STATE, Section};
use super::report::{DefinitionErrors, Report};
use super::{EarlyPolicy, Effect, LatePolicy, Lifecycle, MAX_JITTER_PERCENT, Phase, validate};
use crate::role::{Role, RoleSet};
use crate::time::Span;

pub(super) use self::section::Placed;

/// A file as it was read. What could not be read is `None` or left out, and reported.
pub(super) struct Draft<'t> {
    pub(super) name: Option<Placed<&'t str>>,
    pub(super) version: Option<u32>,
    pub(super) description: Option<Placed<&'t str>>,
    pub(super) initial: Option<Placed<&'t str>>,
    pub(super) cancelled: Option<Placed<&'t str>>,
    pub(super) created_by: RoleSet,
    pub(super) jitter_percent: u8,
    pub(super) reports: DraftReports,
    pub(super) states: Vec<DraftState<'t>>,
    pub(super) arrows: Vec<DraftArrow<'t>>,
}

/// The table `[reports]`.
#[derive(Default)]
pub(super) struct DraftReports {
    pub(super) late: LatePolicy,
    pub(super) early: EarlyPolicy,
    pub(super) park_for: Option<Placed<Span>>,
}

/// A table `[[state]]`.
pub(super) struct DraftState<'t> {
    pub(super) name: Placed<&'t str>,
    pub(super) phase: Option<Phase>,
}

/// A table `[[arrow]]`: one arrow for each state in `from`.
pub(super) struct DraftArrow<'t> {
    pub(super) from: Vec<Placed<&'t str>>,
    pub(super) to: Placed<&'t str>,
    pub(super) by: RoleSet,
    pub(super) after: Option<Span>,
    pub(super) effects: Vec<Effect>,
    pub(super) compensation: Option<Vec<Effect>>,
}

/// Reads and validates a definition.
pub(super) fn parse(file: &str, text: &str) -> Result<Lifecycle, DefinitionErrors> {
    let mut report = Report::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(text.len(), |span| span.start);
        report.add(
            offset,
            format!("not TOML, {}", error.message()),
            "write it as https://toml.io says",
        );
    }
    // What the TOML reader guessed behind a syntax error is not what was meant.
    if !report.is_empty() {
        return report.finish(None);
    }
    let draft = read_lifecycle(document.get_ref(), &mut report);
    let lifecycle = validate::validate(&draft, &mut report);
    report.finish(lifecycle)
}

fn read_lifecycle<'t>(document: &'t DeTable<'t>, report: &mut Report<'_>) -> Draft<'t> {
    let section = Section::open(&LIFECYCLE, 0, document, report);
    if let Some(offset) = section.empty_list("created_by") {
        report.add(offset, "created_by names nobody", "name at least one role");
    }
    Draft {
        name: section.text("name", report),
        version: section.number("version", 1..=u32::MAX, report),
        description: section.text("description", report),
        initial: section.text("initial", report),
        cancelled: section.text("cancelled", report),
        created_by: read_roles(&section, "created_by", report),
        jitter_percent: section
            .number("jitter_percent", 0..=MAX_JITTER_PERCENT, report)
            .unwrap_or(0),
        reports: read_reports(&section, report),
        states: read_all(&section, "state", &STATE, report, read_state),
        arrows: read_all(&section, "arrow", &ARROW, report, read_arrow),
    }
}

fn read_reports(lifecycle: &Section<'_>, report: &mut Report<'_>) -> DraftReports {
    let Some(table) = lifecycle.value("reports", report, DeValue::as_table) else {
        return DraftReports::default();
    };
    let section = Section::open(&REPORTS, table.offset, table.value, report);
    DraftReports {
        late: section
            .text("late", report)
            .and_then(|word| LATE.find(word, report))
            .unwrap_or_default(),
        early: section
            .text("early", report)
            .and_then(|word| EARLY.find(word, report))
            .unwrap_or_default(),
        park_for: section.delay("park_for", report),
    }
}

/// Reads every table of an array of tables.
fn read_all<'t, T>(
    lifecycle: &Section<'t>,
    key: &'static str,
    layout: &'static Layout,
    report: &mut Report<'_>,
    read: fn(&Section<'t>, &mut Report<'_>) -> Option<T>,
) -> Vec<T> {
    lifecycle
        .list(key, report, DeValue::as_table)
        .into_iter()
        .filter_map(|Placed { value, offset }| {
            let section = Section::open(layout, offset, value, report);
            read(&section, report)
        })
        .collect()
}

fn read_state<'t>(section: &Section<'t>, report: &mut Report<'_>) -> Option<DraftState<'t>> {
    let name = section.text("name", report);
    let phase = section
        .text("phase", report)
        .and_then(|word| PHASES.find(word, report));
    Some(DraftState { name: name?, phase })
}

fn read_arrow<'t>(section: &Section<'t>, report: &mut Report<'_>) -> Option<DraftArrow<'t>> {
    let from = section.one_or_more("from", report);
    let to = section.text("to", report);
    let by_nobody = !section.has("by") || section.empty_list("by").is_some();
    if let Some(to) = to.filter(|_| by_nobody && !section.has("after")) {
        let message = format!("nobody may follow the arrow to {:?}", to.value);
        report.add(section.offset, message, "name roles in by, or a delay in after");
    }
    let by = read_roles(section, "by", report);
    let after = section.delay("after", report).map(|after| after.value);
    let effects = read_words(section, "effects", &EFFECTS, report);
    let compensation = read_words(section, "compensation", &EFFECTS, report);
    Some(DraftArrow {
        from,
        to: to?,
        by: after.map_or(by, |_| by.with(Role::System)),
        after,
        effects,
        compensation: section.has("compensation").then_some(compensation),
    })
}

fn read_roles(section: &Section<'_>, key: &'static str, report: &mut Report<'_>) -> RoleSet {
    RoleSet::of(&read_words(section, key, &ROLES, report))
}

/// Reads a list of words, each known and named once.
fn read_words<T: Copy + PartialEq, const N: usize>(
    section: &Section<'_>,
    key: &'static str,
    vocabulary: &Vocabulary<T, N>,
    report: &mut Report<'_>,
) -> Vec<T> {
    let mut found = Vec::new();
    for word in section.list(key, report, DeValue::as_str) {
        match vocabulary.find(word, report) {
            Some(value) if found.contains(&value) => {
                report.add(
                    word.offset,
                    format!("{key} names {:?} twice", word.value),
                    "remove one",
                );
            }
            Some(value) => found.push(value),
            None => {}
        }
    }
    found
}

/// The words that a key may have as its value.
struct Vocabulary<T, const N: usize> {
    what: &'static str,
    all: [T; N],
    name: fn(T) -> &'static str,
}

const ROLES: Vocabulary<Role, 6> = Vocabulary {
    what: "role",
    all: Role::ALL,
    name: Role::name,
};
const PHASES: Vocabulary<Phase, 5> = Vocabulary {
    what: "phase",
    all: Phase::ALL,
    name: Phase::name,
};
const EFFECTS: Vocabulary<Effect, 6> = Vocabulary {
    what: "effect",
    all: Effect::ALL,
    name: Effect::name,
};
const LATE: Vocabulary<LatePolicy, 2> = Vocabulary {
    what: "policy for late reports",
    all: LatePolicy::ALL,
    name: LatePolicy::name,
};
const EARLY: Vocabulary<EarlyPolicy, 3> = Vocabulary {
    what: "policy for early reports",
    all: EarlyPolicy::ALL,
    name: EarlyPolicy::name,
};

impl<T: Copy, const N: usize> Vocabulary<T, N> {
    fn find(&self, word: Placed<&str>, report: &mut Report<'_>) -> Option<T> {
        let found = self
            .all
            .into_iter()
            .find(|value| (self.name)(*value) == word.value);
        if found.is_none() {
            let message = format!("unknown {} {:?}", self.what, word.value);
            report.add(
                word.offset,
                message,
                format!("use one of {}", self.all.map(self.name).join(", ")),
            );
        }
        found
    }
}
