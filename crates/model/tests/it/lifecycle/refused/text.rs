//! What is wrong with a single value.

use super::{PARCEL, broken, errors, refused};

#[test]
fn text_that_is_not_toml() {
    broken(
        "\"parcel\"",
        "parcel",
        "p.toml:1:8: not TOML, string values must be quoted, expected literal string: write it as \
         https://toml.io says",
    );
    broken(
        "version = 1",
        "version = 1\nversion = 2",
        "p.toml:3:1: not TOML, duplicate key: write it as https://toml.io says",
    );
    refused(
        "name = \"ü\" x\r\n= 3",
        "p.toml:1:12: not TOML, unexpected key or value, expected newline, `#`: write it as \
         https://toml.io says\n\
         p.toml:2:1: not TOML, unquoted keys cannot be empty, expected letters, numbers, `-`, `_`: \
         write it as https://toml.io says",
    );
}

#[test]
fn keys_that_are_not_known() {
    broken(
        "version = 1",
        "version = 1\nvresion = 1",
        "p.toml:3:1: unknown key \"vresion\" in the lifecycle: use one of name, version, \
         description, initial, cancelled, created_by, jitter_percent, reports, state, arrow",
    );
    broken(
        "phase = \"done\"",
        "phase = \"done\"\ncolour = \"red\"",
        r#"p.toml:18:1: unknown key "colour" in [[state]]: use one of name, phase"#,
    );
    broken(
        "[[state]]",
        "[reports]\nlatest = \"reject\"\n[[state]]",
        r#"p.toml:8:1: unknown key "latest" in [reports]: use one of late, early, park_for"#,
    );
}

#[test]
fn keys_that_are_missing() {
    broken(
        "initial = \"created\"",
        "",
        r#"p.toml:1:1: the lifecycle has no initial: add initial = "created""#,
    );
    broken(
        "phase = \"done\"",
        "",
        r#"p.toml:15:1: [[state]] has no phase: add phase = "pending""#,
    );
    broken(
        "name = \"delivered\"\nphase",
        "phase",
        "p.toml:15:1: [[state]] has no name: add name = \"created\"\n\
         p.toml:25:6: to names the unknown state \"delivered\": use one of created, moving, or add \
         it as a [[state]]",
    );
    broken(
        "from = \"created\"\n",
        "",
        r#"p.toml:19:1: [[arrow]] has no from: add from = "created" or from = ["created", "picked_up"]"#,
    );
    broken(
        "to = \"moving\"\n",
        "",
        r#"p.toml:19:1: [[arrow]] has no to: add to = "delivered""#,
    );
    refused(
        "",
        "p.toml:1:1: the lifecycle has no name: add name = \"delivery\"\n\
         p.toml:1:1: the lifecycle has no version: add version = 1\n\
         p.toml:1:1: the lifecycle has no description: add description = \"what it is for\"\n\
         p.toml:1:1: the lifecycle has no initial: add initial = \"created\"\n\
         p.toml:1:1: the lifecycle has no created_by: add created_by = [\"client\", \"admin\"]\n\
         p.toml:1:1: the lifecycle has no state: add [[state]] with a name and a phase",
    );
}

#[test]
fn values_of_the_wrong_type() {
    broken(
        "version = 1",
        "version = \"1\"",
        "p.toml:2:11: version is a value of type string: write version = 1",
    );
    broken(
        "version = 1",
        "version = true",
        "p.toml:2:11: version is a value of type boolean: write version = 1",
    );
    broken(
        "[\"client\"]",
        "\"client\"",
        r#"p.toml:5:14: created_by is a value of type string: write created_by = ["client", "admin"]"#,
    );
    broken(
        "[\"client\"]",
        "[\"client\", 3]",
        r#"p.toml:5:25: created_by holds a value of type integer: write created_by = ["client", "admin"]"#,
    );
    broken(
        "from = \"created\"",
        "from = [1.5]",
        "p.toml:20:9: from holds a value of type float: write from = \"created\" or from = \
         [\"created\", \"picked_up\"]",
    );
    broken(
        "[[state]]",
        "reports = \"reject\"\n[[state]]",
        "p.toml:7:11: reports is a value of type string: write [reports] with late, early or park_for",
    );
    // No [[arrow]] may follow where the key has its value already.
    let without_arrows = PARCEL.split("\n[[arrow]]").next().unwrap();
    refused(
        &without_arrows.replacen("[[state]]", "arrow = [\"created\"]\n[[state]]", 1),
        "p.toml:7:10: arrow holds a value of type string: write [[arrow]] with from, to and by",
    );
}

#[test]
fn numbers_out_of_bounds() {
    broken(
        "version = 1",
        "version = 0",
        "p.toml:2:11: version 0 is not allowed: use a number from 1 to 4294967295",
    );
    broken(
        "version = 1",
        "version = 4294967296",
        "p.toml:2:11: version 4294967296 is not allowed: use a number from 1 to 4294967295",
    );
    broken(
        "version = 1",
        "version = 99999999999999999999",
        "p.toml:2:11: version 99999999999999999999 is not allowed: use a number from 1 to 4294967295",
    );
    broken(
        "version = 1",
        "version = 1\njitter_percent = 91",
        "p.toml:3:18: jitter_percent 91 is not allowed: use a number from 0 to 90",
    );
    broken(
        "version = 1",
        "version = 1\njitter_percent = -1",
        "p.toml:3:18: jitter_percent -1 is not allowed: use a number from 0 to 90",
    );
}

#[test]
fn names_that_are_not_allowed() {
    broken(
        "\"parcel\"",
        "\"Parcel\"",
        "p.toml:1:8: name \"Parcel\" is not allowed: use a to z, 0 to 9 and _, a letter first, at \
         most 40 bytes",
    );
    broken(
        "\"parcel\"",
        "\"\"",
        r#"p.toml:1:8: name "" is not allowed: use a to z, 0 to 9 and _, a letter first, at most 40 bytes"#,
    );
    broken(
        "name = \"delivered\"",
        "name = \"at the door\"",
        "p.toml:16:8: state name \"at the door\" is not allowed: use letters, 0 to 9 and _, a \
         letter first, at most 40 bytes\n\
         p.toml:26:6: to names the unknown state \"delivered\": use one of created, moving, at the \
         door, or add it as a [[state]]",
    );
    broken(
        "\"parcel\"",
        &format!("\"p{}\"", "a".repeat(40)),
        "p.toml:1:8: name \"paaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" is not allowed: use a to z, \
         0 to 9 and _, a letter first, at most 40 bytes",
    );
    broken(
        "\"A parcel.\"",
        "\"\"",
        "p.toml:3:15: description is empty, too long or not one line: write one line of 1 to 500 characters",
    );
    broken(
        "\"A parcel.\"",
        "\"A\\nparcel.\"",
        "p.toml:3:15: description is empty, too long or not one line: write one line of 1 to 500 characters",
    );
    broken(
        "\"A parcel.\"",
        &format!("\"{}\"", "é".repeat(501)),
        "p.toml:3:15: description is empty, too long or not one line: write one line of 1 to 500 characters",
    );
}

#[test]
fn words_that_are_not_known() {
    broken(
        "\"client\"",
        "\"clinet\"",
        r#"p.toml:5:15: unknown role "clinet": use one of customer, client, driver, operator, admin, system"#,
    );
    broken(
        "\"client\"",
        "\"client\", \"client\"",
        r#"p.toml:5:25: created_by names "client" twice: remove one"#,
    );
    broken(
        "phase = \"pending\"",
        "phase = \"waiting\"",
        r#"p.toml:9:9: unknown phase "waiting": use one of pending, active, moving, done, stopped"#,
    );
    broken(
        "by = [\"driver\"]",
        "by = [\"driver\"]\neffects = [\"pay\"]",
        "p.toml:23:12: unknown effect \"pay\": use one of reserve_stock, release_stock, \
         consume_stock, return_stock, charge, refund",
    );
    broken(
        "by = [\"driver\"]",
        "by = [\"driver\"]\ncompensation = [\"pay\"]",
        "p.toml:23:17: unknown effect \"pay\": use one of reserve_stock, release_stock, \
         consume_stock, return_stock, charge, refund",
    );
    broken(
        "[[state]]",
        "[reports]\nlate = \"park\"\n[[state]]",
        r#"p.toml:8:8: unknown policy for late reports "park": use one of reject, record"#,
    );
    broken(
        "[[state]]",
        "[reports]\nearly = \"wait\"\n[[state]]",
        r#"p.toml:8:9: unknown policy for early reports "wait": use one of reject, record, park"#,
    );
}

#[test]
fn delays_that_are_not_understood_or_too_long() {
    for delay in ["", "20", "s", "+2s", "1.5h", "20 s", "20S", "1h30m"] {
        let text = PARCEL.replacen("by = [\"driver\"]", &format!("after = \"{delay}\""), 1);
        let expected = format!(
            "p.toml:22:9: after \"{delay}\" is not a length of time: write a whole number and one of ms, s, m, h, d, \
             such as \"20s\""
        );
        assert_eq!(errors(&text), expected);
    }
    for delay in ["367d", "999999999999d", "99999999999999999999s"] {
        let text = PARCEL.replacen("by = [\"driver\"]", &format!("after = \"{delay}\""), 1);
        assert_eq!(
            errors(&text),
            format!("p.toml:22:9: after \"{delay}\" is too long: use at most 366d")
        );
    }
    broken(
        "[[state]]",
        "[reports]\nearly = \"park\"\npark_for = \"367d\"\n[[state]]",
        r#"p.toml:9:12: park_for "367d" is too long: use at most 366d"#,
    );
    broken(
        "[[state]]",
        "[reports]\nearly = \"record\"\npark_for = \"2h\"\n[[state]]",
        "p.toml:9:12: park_for means nothing where early reports are not parked: write early = \
         \"park\" or remove park_for",
    );
}
