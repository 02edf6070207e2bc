//! What is wrong with a definition, where, and what cures it.

use std::fmt;

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    file: Box<str>,
    line: usize,
    column: usize,
    message: String,
    cure: String,
}

impl DefinitionError {
    /// The file, as it was named to the parser.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, naming the offending value.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> &str {
        &self.cure
    }
}

/// `file:line:column: message: cure`, the form that editors and terminals make a link of.
impl fmt::Display for DefinitionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            cure,
        } = self;
        write!(out, "{file}:{line}:{column}: {message}: {cure}")
    }
}

impl std::error::Error for DefinitionError {}

/// Everything that is wrong with a definition, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionErrors(Vec<DefinitionError>);

impl DefinitionErrors {
    /// The errors, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, DefinitionError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a DefinitionErrors {
    type Item = &'a DefinitionError;
    type IntoIter = std::slice::Iter<'a, DefinitionError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One error a line, without a newline at the end.
impl fmt::Display for DefinitionErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            write!(out, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DefinitionErrors {}

/// Gathers what is wrong with one text while it is read and checked.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    errors: Vec<DefinitionError>,
}

impl<'t> Report<'t> {
    pub(super) const fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            errors: Vec::new(),
        }
    }

    /// Notes an error at a byte of the text.
    pub(super) fn add(&mut self, offset: usize, message: impl Into<String>, cure: impl Into<String>) {
        let before = self.before(offset);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        // An editor does not count the byte-order mark as a column.
        let in_line = before[line_start..].trim_start_matches('\u{feff}');
        self.errors.push(DefinitionError {
            file: self.file.into(),
            line: self.line(offset),
            column: in_line.chars().count() + 1,
            message: message.into(),
            cure: cure.into(),
        });
    }

    /// The line of a byte of the text, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.before(offset).matches('\n').count() + 1
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors, or the value when there are none.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<T, DefinitionErrors> {
        if let (Some(value), true) = (value, self.errors.is_empty()) {
            return Ok(value);
        }
        self.errors.sort_by_key(|error| (error.line, error.column));
        Err(DefinitionErrors(self.errors))
    }

    fn before(&self, offset: usize) -> &'t str {
        &self.text[..self.text.floor_char_boundary(offset)]
    }
}
