//! Reading a password: from a file, a pipe or a terminal, never from an argument.

use std::fs::File;
use std::io::{IsTerminal, Read};

use console::Term;

use super::{PasswordSource, Problem};
use crate::settings::Secret;

/// Read of a file or a pipe at most: the longest password in the longest encoding, and an end of line. More is no password.
const MAX_BYTES: u64 = 1_024;

impl PasswordSource {
    pub(super) fn read(&self) -> Result<Secret, Problem> {
        if let Some(path) = &self.password_file {
            let told = |error: std::io::Error| format!("{}: {}", path.display(), error.kind());
            let file = File::open(path).map_err(told)?;
            return first_line(file).map_err(|why| format!("{}: {why}", path.display()).into());
        }
        let input = std::io::stdin();
        if input.is_terminal() {
            return Ok(typed()?);
        }
        first_line(input.lock()).map_err(|why| format!("standard input: {why}").into())
    }
}

/// The one line that there is.
fn first_line(input: impl Read) -> Result<Secret, String> {
    let mut text = String::new();
    let read = input.take(MAX_BYTES + 1).read_to_string(&mut text);
    let read = read.map_err(|error| error.kind().to_string())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_BYTES || line.contains('\n') {
        return Err("must have the password in one line and nothing else".to_owned());
    }
    if line.is_empty() {
        return Err("has no password".to_owned());
    }
    Ok(Secret::new(line))
}

/// Asks twice, as nobody sees what is typed.
fn typed() -> Result<Secret, std::io::Error> {
    let terminal = Term::stderr();
    loop {
        terminal.write_str("Password: ")?;
        let password = terminal.read_secure_line()?;
        terminal.write_str("Again: ")?;
        if terminal.read_secure_line()? == password {
            return Ok(Secret::new(&password));
        }
        terminal.write_line("These are two passwords: once more.")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        let read = |text: &str| first_line(text.as_bytes()).map(|secret| secret.expose().to_owned());
        for text in ["correct horse", "correct horse\n", "correct horse\r\n"] {
            assert_eq!(read(text), Ok("correct horse".to_owned()));
        }
        assert_eq!(read(" spaced \n"), Ok(" spaced ".to_owned()));
        for text in ["", "\n", "one\ntwo\n", "one\n\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert!(read(&"x".repeat(1_025)).is_err());
    }
}
