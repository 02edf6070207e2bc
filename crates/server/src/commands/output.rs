//! Writing to the terminal. A reader that went away (`waybill … | head`) ends the output, not the command.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Prints one line or more to standard output. An output that takes nothing, such as a full disk, ends the process: nobody
/// must take silence for an answer.
pub(super) fn say(text: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        complain(&format!("standard output takes nothing: {error}"));
        std::process::exit(2);
    }
}

/// Prints findings to standard error as they are: a tool may look for `file:line:column` at the beginning of a line.
pub(super) fn point_out(findings: &str) {
    writeln!(std::io::stderr().lock(), "{findings}").ok();
}

/// Prints to standard error why something was not done.
pub(super) fn complain(text: &str) {
    writeln!(std::io::stderr().lock(), "waybill: {text}").ok();
}

/// A progress bar on standard error, unseen where that is no terminal.
pub(super) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), target).with_style(style)
}

/// A time for people: three digits or so.
pub(super) fn short(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        10_000..10_000_000 => format!("{:.0} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// A whole number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many things in so much time, a second.
pub(super) fn per_second(count: u64, time: Duration) -> String {
    let nanos = time.as_nanos().max(1);
    grouped(u64::try_from(u128::from(count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX))
}
