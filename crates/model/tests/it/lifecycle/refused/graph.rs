//! What is wrong with the states and arrows together.

use model::lifecycle::{Lifecycle, MAX_STATES};

use super::{PARCEL, broken, refused};

#[test]
fn states_that_are_defined_twice_unknown_or_too_many() {
    broken(
        "name = \"delivered\"",
        "name = \"created\"",
        "p.toml:16:8: state \"created\" is defined on lines 8 and 16: rename one or remove it\n\
         p.toml:26:6: to names the unknown state \"delivered\": use one of created, moving, \
         created, or add it as a [[state]]",
    );
    broken(
        "initial = \"created\"",
        "initial = \"craeted\"",
        "p.toml:4:11: initial names the unknown state \"craeted\": use one of created, moving, \
         delivered, or add it as a [[state]]",
    );
    broken(
        "initial = \"created\"",
        "initial = \"created\"\ncancelled = \"lost\"",
        "p.toml:5:13: cancelled names the unknown state \"lost\": use one of created, moving, \
         delivered, or add it as a [[state]]",
    );
    broken(
        "from = \"created\"",
        "from = [\"created\", \"lost\"]",
        "p.toml:20:20: from names the unknown state \"lost\": use one of created, moving, \
         delivered, or add it as a [[state]]",
    );
    broken(
        "to = \"moving\"",
        "to = \"lost\"",
        "p.toml:21:6: to names the unknown state \"lost\": use one of created, moving, delivered, \
         or add it as a [[state]]",
    );
    let more: String = (3..=MAX_STATES)
        .map(|n| format!("\n[[state]]\nname = \"s{n}\"\nphase = \"done\"\n"))
        .collect();
    refused(
        &format!("{PARCEL}{more}"),
        "p.toml:274:8: 65 states are more than 64: remove some, or make two lifecycles of it",
    );
}

#[test]
fn the_first_state_is_not_final_and_a_cancellation_stops() {
    broken(
        "initial = \"created\"",
        "initial = \"delivered\"",
        "p.toml:4:11: initial names \"delivered\", which is final (phase done): begin in a state of \
         phase pending, active or moving",
    );
    broken(
        "initial = \"created\"",
        "initial = \"created\"\ncancelled = \"delivered\"",
        r#"p.toml:5:13: cancelled names "delivered", which is of phase done: name a state of phase stopped"#,
    );
}

#[test]
fn arrows_that_make_no_sense() {
    let more = |arrow: &str| format!("{PARCEL}\n[[arrow]]\n{arrow}\n");
    refused(
        &more("from = \"created\"\nto = \"moving\"\nby = [\"admin\"]"),
        r#"p.toml:30:8: the arrow from "created" to "moving" is defined on lines 20 and 30: remove one"#,
    );
    refused(
        &more("from = \"moving\"\nto = \"moving\"\nby = [\"admin\"]"),
        r#"p.toml:30:8: an arrow leads from "moving" to itself: remove it"#,
    );
    refused(
        &more("from = \"moving\"\nto = \"created\"\nby = [\"admin\"]"),
        "p.toml:30:8: the arrow from \"moving\" (phase moving) to \"created\" (phase pending) goes \
         back: remove the arrow or give a state another phase",
    );
    refused(
        &more("from = \"delivered\"\nto = \"created\"\nby = [\"admin\"]"),
        "p.toml:30:8: an arrow leaves \"delivered\", which is final (phase done): remove the arrow \
         or give the state another phase",
    );
    refused(
        &more("from = []\nto = \"created\"\nby = [\"admin\"]"),
        "p.toml:30:8: from is an empty list: name at least one state",
    );
    refused(
        &more("from = \"created\"\nto = \"delivered\""),
        r#"p.toml:29:1: nobody may follow the arrow to "delivered": name roles in by, or a delay in after"#,
    );
    refused(
        &more("from = \"created\"\nto = \"delivered\"\nby = []"),
        r#"p.toml:29:1: nobody may follow the arrow to "delivered": name roles in by, or a delay in after"#,
    );
    broken(
        "[\"client\"]",
        "[]",
        "p.toml:5:14: created_by names nobody: name at least one role",
    );
    let two = "from = \"created\"\nto = \"delivered\"\nafter = \"2s\"";
    broken(
        "by = [\"driver\"]\n",
        &format!("after = \"1s\"\n\n[[arrow]]\n{two}\n"),
        "p.toml:25:8: \"created\" has two automatic arrows, to \"moving\" and to \"delivered\": \
         keep after on one of them",
    );
}

#[test]
fn states_that_no_order_reaches_or_leaves() {
    broken(
        "from = \"created\"\nto = \"moving\"",
        "from = \"created\"\nto = \"delivered\"",
        r#"p.toml:12:8: state "moving" cannot be reached from "created": add an arrow to it or remove it"#,
    );
    let lost = "\n[[state]]\nname = \"lost\"\nphase = \"moving\"\n\n[[arrow]]\nfrom = \"moving\"\nto = \"lost\"\nafter = \"1d\"\n";
    refused(
        &format!("{PARCEL}{lost}"),
        "p.toml:30:8: from state \"lost\" no final state can be reached: add an arrow towards a \
         state of phase done or stopped",
    );
}

#[test]
fn arrows_that_go_round_without_a_pause() {
    let back = "\n[[arrow]]\nfrom = \"moving\"\nto = \"created\"\nafter = \"0ms\"\n";
    let text = format!("{PARCEL}{back}")
        .replace("phase = \"pending\"", "phase = \"moving\"")
        .replacen("by = [\"driver\"]", "after = \"0s\"", 1);
    refused(
        &text,
        "p.toml:8:8: arrows without delay lead from state \"created\" round to itself for ever: \
         write after = \"1s\" or more on one of them\n\
         p.toml:12:8: arrows without delay lead from state \"moving\" round to itself for ever: \
         write after = \"1s\" or more on one of them",
    );
    assert!(Lifecycle::from_toml("p.toml", &text.replace("0ms", "1ms")).is_ok());
}
