//! Who says what a setting is, where several do.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::Start;

#[test]
fn the_first_source_that_names_a_setting_holds() {
    let shown = |start: &Start| start.shown("APP_PORT");
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    let mut start = Start::new();
    assert_eq!(shown(&start), pair("8080", "default"));
    start = start.file("waybill.toml", "app_port = 1001\n");
    assert_eq!(shown(&start), pair("1001", "waybill.toml"));
    start = start.file(".env", "APP_PORT=1002\n");
    assert_eq!(shown(&start), pair("1002", ".env"));
    start = start.variable("APP_PORT", "1003");
    assert_eq!(shown(&start), pair("1003", "environment APP_PORT"));
    start = start.flag("--app-port", "1004");
    assert_eq!(shown(&start), pair("1004", "flag"));
    assert_eq!(start.settings().app_port, 1004);
}

#[test]
fn a_setting_of_two_names_goes_by_both() {
    let by_port = Start::new().variable("PORT", "1001");
    assert_eq!(by_port.shown("APP_PORT").1, "environment PORT");
    assert_eq!(Start::new().flag("--port", "1002").settings().app_port, 1002);
    assert_eq!(
        Start::new()
            .file("waybill.toml", "port = 1003")
            .settings()
            .app_port,
        1003
    );
    let by_both = Start::new().variable("PORT", "1001").variable("APP_PORT", "1004");
    assert_eq!(by_both.settings().app_port, 1004);
    let above_the_file = Start::new()
        .variable("PORT", "1001")
        .file(".env", "APP_PORT=1004");
    assert_eq!(above_the_file.settings().app_port, 1001);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let start = Start::new()
        .variable("APP_PORT", "")
        .variable("PORT", "")
        .file(".env", "APP_PORT=\nLOG_LEVEL=''\n")
        .file("waybill.toml", "app_port = 1001");
    assert_eq!(start.settings().app_port, 1001);
    assert_eq!(start.shown("LOG_LEVEL").1, "default");
}

#[test]
fn an_empty_flag_or_key_says_that_nothing_is_meant() {
    let start = Start::new().variable("SEED", "demo").flag("--seed", "");
    assert_eq!(start.settings().seed, None);
    let problems = Start::new().file("waybill.toml", "app_port = ''").problems();
    assert_eq!(
        problems,
        ["APP_PORT (from waybill.toml): \"\" is not allowed: use a port from 0 to 65535"]
    );
}

#[test]
fn a_settings_file_is_named_by_flag_or_variable() {
    let start = Start::new()
        .file("waybill.toml", "app_port = 1001")
        .file("dot.toml", "app_port = 1002")
        .file("variable.toml", "app_port = 1003")
        .file("flag.toml", "app_port = 1004")
        .file(".env", "WAYBILL_CONFIG=dot.toml");
    assert_eq!(start.shown("APP_PORT").1, "dot.toml");
    let start = start.variable("WAYBILL_CONFIG", "variable.toml");
    assert_eq!(start.shown("APP_PORT").1, "variable.toml");
    let start = start.flag("--config", "flag.toml");
    assert_eq!(
        start.shown("APP_PORT"),
        ("1004".to_owned(), "flag.toml".to_owned())
    );
    let absent = Start::new().flag("--config", "none.toml");
    assert_eq!(absent.problems(), ["none.toml: there is no such file"]);
}

#[test]
fn an_unknown_variable_of_ours_is_told_with_the_nearest_that_is_known() {
    for (unknown, nearest) in [
        ("WAYBILL_DATADIR", "WAYBILL_DATA_DIR"),
        ("WAYBILL_APP_PROT", "APP_PORT"),
        ("WAYBILL_JWT_SECRET", "JWT_SECRET"),
        ("WAYBILL_TOKENS", "WAYBILL_TOKEN"),
    ] {
        let told =
            |place: &str| format!("unknown variable \"{unknown}\" (from {place}): did you mean {nearest}?");
        let problems = Start::new().variable(unknown, "hush").problems();
        assert_eq!(problems, [told("the environment")]);
        let problems = Start::new().file(".env", &format!("{unknown}=hush")).problems();
        assert_eq!(problems, [told(".env")]);
    }
    // Those of commands and tests are known, and others' are not looked at.
    let mut start = Start::new()
        .variable("REDIS_ULR", "x")
        .file(".env", "APP_PROT=1\n");
    for name in [
        "WAYBILL_TOKEN",
        "WAYBILL_OLIST_DIR",
        "WAYBILL_REQUIRE_ALL",
        "WAYBILL_CRASH_SEED",
    ] {
        start = start.variable(name, "x");
    }
    start.settings();
}

#[test]
fn all_that_is_wrong_is_told_at_once_a_line_each() {
    let start = Start::new()
        .variable("APP_PORT", "x")
        .variable("LOG_LEVEL", "a\nb")
        .variable("WAYBILL_X", "1")
        .file("waybill.toml", "colour = 1");
    assert_eq!(start.problems().len(), 4);
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    let mut start = Start::new();
    let value = OsStr::from_bytes(b"data\xff").to_owned();
    start.environment.push(("WAYBILL_DATA_DIR".into(), value.clone()));
    // That of somebody else is not looked at.
    start.environment.push(("THEIRS".into(), value));
    let told = "WAYBILL_DATA_DIR (from the environment): its value is not UTF-8";
    assert_eq!(start.problems(), [told]);
}

#[test]
fn flags_do_not_print_their_values() {
    let flags = Start::new().flag("--jwt-secret", "hush").flags();
    assert_eq!(format!("{flags:?}"), "{\"jwt-secret\"}");
}

#[test]
fn a_number_below_zero_is_refused_by_the_name_of_its_setting() {
    let mut start = Start::new();
    start.flags = vec!["--rate-limit-per-minute".to_owned(), "-1".to_owned()];
    assert!(start.problems()[0].starts_with("RATE_LIMIT_PER_MINUTE (from flag): \"-1\" is not allowed"));
}

#[test]
fn it_is_known_what_somebody_set() {
    let (_, sources) = Start::new()
        .variable("WAYBILL_DATA_DIR", "waybill-data")
        .load()
        .unwrap();
    assert!(sources.is_set("WAYBILL_DATA_DIR"));
    assert!(!sources.is_set("APP_PORT"));
}
