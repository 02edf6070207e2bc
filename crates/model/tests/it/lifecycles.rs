//! Lifecycles that show what the shipped five do not: policies that keep or park, loops, compensations.

use model::Lifecycle;

/// Keeps what comes late and what comes early.
const KEEPING: &str = r#"
name = "keeping"
version = 1
description = "Keeps every report."
initial = "created"
cancelled = "cancelled"
created_by = ["operator", "admin"]

[reports]
late = "record"
early = "record"

[[state]]
name = "created"
phase = "pending"
[[state]]
name = "picked_up"
phase = "moving"
[[state]]
name = "in_transit"
phase = "moving"
[[state]]
name = "delivered"
phase = "done"
[[state]]
name = "cancelled"
phase = "stopped"

[[arrow]]
from = "created"
to = "picked_up"
by = ["driver", "operator", "admin"]
[[arrow]]
from = "picked_up"
to = "in_transit"
by = ["driver", "operator", "admin"]
[[arrow]]
from = "in_transit"
to = "delivered"
by = ["driver", "operator", "admin"]
[[arrow]]
from = ["created", "picked_up", "in_transit"]
to = "cancelled"
by = ["operator", "admin"]
"#;

/// Parks what comes early, for an hour. The step to `customs` is an operator's or, two minutes after `b`, the server's.
const PARKING: &str = r#"
name = "parking"
version = 1
description = "Parks what comes early."
initial = "a"
cancelled = "cancelled"
created_by = ["operator", "admin"]

[reports]
early = "park"
park_for = "1h"

[[state]]
name = "a"
phase = "pending"
[[state]]
name = "b"
phase = "moving"
[[state]]
name = "customs"
phase = "moving"
[[state]]
name = "d"
phase = "moving"
[[state]]
name = "e"
phase = "done"
[[state]]
name = "cancelled"
phase = "stopped"

[[arrow]]
from = "a"
to = "b"
by = ["driver", "operator", "admin"]
[[arrow]]
from = "b"
to = "customs"
by = ["operator", "admin"]
after = "2m"
[[arrow]]
from = "customs"
to = "d"
by = ["driver", "operator", "admin"]
[[arrow]]
from = "customs"
to = "e"
by = ["operator", "admin"]
[[arrow]]
from = "d"
to = "e"
by = ["driver", "operator", "admin"]
[[arrow]]
from = ["a", "b", "customs", "d"]
to = "cancelled"
by = ["operator", "admin"]
"#;

/// Goes round between two states until it is done, and cannot be cancelled.
const LOOPING: &str = r#"
name = "looping"
version = 1
description = "A machine on loan."
initial = "home"
created_by = ["operator", "admin"]
jitter_percent = 50

[reports]
late = "record"

[[state]]
name = "home"
phase = "active"
[[state]]
name = "away"
phase = "active"
[[state]]
name = "sold"
phase = "done"

[[arrow]]
from = "home"
to = "away"
by = ["driver", "operator", "admin"]
[[arrow]]
from = "away"
to = "home"
by = ["driver", "operator", "admin"]
after = "1h"
[[arrow]]
from = "home"
to = "sold"
by = ["admin"]
"#;

/// What [`LOOPING`] lacks to park reports that wait for a check.
const CHECKED: &str = r#"
[[state]]
name = "checked"
phase = "active"

[[arrow]]
from = "home"
to = "checked"
by = ["operator"]
[[arrow]]
from = "checked"
to = "sold"
by = ["operator"]
after = "1h"
"#;

/// Says of some steps how they are taken back.
const MENDING: &str = r#"
name = "mending"
version = 1
description = "Says how steps are taken back."
initial = "new"
created_by = ["operator", "admin"]

[[state]]
name = "new"
phase = "pending"
[[state]]
name = "held"
phase = "active"
[[state]]
name = "paid"
phase = "active"
[[state]]
name = "done"
phase = "done"
[[state]]
name = "lost"
phase = "stopped"

[[arrow]]
from = "new"
to = "held"
by = ["operator", "admin"]
effects = ["reserve_stock"]
compensation = ["release_stock"]
[[arrow]]
from = "held"
to = "paid"
by = ["operator", "admin"]
effects = ["charge"]
[[arrow]]
from = "paid"
to = "done"
by = ["operator", "admin"]
compensation = []
[[arrow]]
from = "paid"
to = "lost"
by = ["operator", "admin"]
"#;

fn read(file: &str, text: &str) -> Lifecycle {
    Lifecycle::from_toml(file, text).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn keeping() -> Lifecycle {
    read("keeping.toml", KEEPING)
}

pub(crate) fn parking() -> Lifecycle {
    read("parking.toml", PARKING)
}

/// As [`parking`], also keeping what comes late.
pub(crate) fn parking_and_keeping() -> Lifecycle {
    read(
        "parking.toml",
        &PARKING.replace("[reports]", "[reports]\nlate = \"record\""),
    )
}

pub(crate) fn looping() -> Lifecycle {
    read("looping.toml", LOOPING)
}

/// As [`looping`], but sold only by way of a check, for which reports wait.
pub(crate) fn looping_and_parking() -> Lifecycle {
    let (loops, _) = LOOPING.rsplit_once("[[arrow]]").unwrap();
    let loops = loops.replace("late = \"record\"", "early = \"park\"");
    read("looping.toml", &format!("{loops}{CHECKED}"))
}

pub(crate) fn mending() -> Lifecycle {
    read("mending.toml", MENDING)
}

/// One of the shipped.
pub(crate) fn shipped(name: &str) -> Lifecycle {
    let mut all = model::lifecycle::shipped().into_iter();
    all.find(|lifecycle| lifecycle.name() == name).unwrap()
}

/// The shipped ones and those of this file.
pub(crate) fn all() -> Vec<Lifecycle> {
    let mut all = model::lifecycle::shipped();
    all.extend([
        keeping(),
        parking(),
        parking_and_keeping(),
        looping(),
        looping_and_parking(),
        mending(),
    ]);
    all
}
