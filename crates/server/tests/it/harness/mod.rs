//! What several tests need: the real binary under watch, a store to compare with, and named skips.

pub(crate) mod acknowledged;
pub(crate) mod automatic;
pub(crate) mod database;
pub(crate) mod front;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod process;
pub(crate) mod services;
pub(crate) mod two;
pub(crate) mod wire;

/// Says that a test is left out. Where everything is required, that is a failure.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests must see what was left out"
)]
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("WAYBILL_REQUIRE_ALL").is_none(),
        "skipped although WAYBILL_REQUIRE_ALL is set: {why}"
    );
    println!("skipped: {why}");
}

/// Prints figures that whoever runs the tests with `--nocapture` wants to see.
#[expect(clippy::print_stdout, reason = "figures are for people")]
pub(crate) fn tell(text: &str) {
    println!("{text}");
}
