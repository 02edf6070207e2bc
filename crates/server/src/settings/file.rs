//! The settings file: TOML, one key a setting, no tables.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Source;
use super::kinds::Form;
use super::limits::MAX_FILE_BYTES;
use super::problem::{nearest, quoted};
use super::table::{Setting, TABLE};

/// The file that is read where none is named.
pub(super) const DEFAULT_FILE: &str = "waybill.toml";

/// How reading a file ended.
pub(super) enum Reading {
    Read(String),
    NotThere,
    /// And why, without the file's name.
    Failed(String),
}

/// Reads a text file whole. A folder of that name is not it.
pub(super) fn read_bounded(path: &Path) -> Reading {
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            Reading::NotThere
        }
        Err(error) => Reading::Failed(error.kind().to_string()),
        Ok(length) if u64::try_from(length).is_ok_and(|length| length > MAX_FILE_BYTES) => {
            Reading::Failed(format!("more than {MAX_FILE_BYTES} bytes are no settings"))
        }
        Ok(_) => String::from_utf8(bytes)
            .map_or_else(|_| Reading::Failed("is not UTF-8".to_owned()), Reading::Read),
    }
}

/// The texts of a settings file by key.
#[derive(Default)]
pub(super) struct SettingsFile {
    name: String,
    values: BTreeMap<&'static str, String>,
}

impl SettingsFile {
    /// Reads the named file, which must be there, or else the one in the working directory, if it is.
    pub(super) fn read(named: Option<&Path>, working_dir: &Path, problems: &mut Vec<String>) -> Self {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let mut file = Self {
            name: path.display().to_string(),
            values: BTreeMap::new(),
        };
        match read_bounded(&working_dir.join(path)) {
            Reading::Read(text) => file.take(&text, problems),
            Reading::NotThere if named.is_none() => {}
            Reading::NotThere => problems.push(format!("{}: there is no such file", file.name)),
            Reading::Failed(why) => problems.push(format!("{}: {why}", file.name)),
        }
        file
    }

    pub(super) fn text(&self, setting: &Setting) -> Option<(String, Source)> {
        let text = setting.keys.iter().find_map(|key| self.values.get(key))?;
        Some((text.clone(), Source::File(self.name.clone())))
    }

    fn take(&mut self, text: &str, problems: &mut Vec<String>) {
        let document = match DeTable::parse(text) {
            Ok(document) => document.into_inner(),
            Err(error) => {
                let before = &text[..error.span().map_or(text.len(), |span| span.start)];
                let line = before.matches('\n').count() + 1;
                let message = error.message().replace('\n', ", ");
                problems.push(format!("{}:{line}: not TOML: {message}", self.name));
                return;
            }
        };
        for (key, value) in &document {
            let key: &str = key.get_ref();
            let found = TABLE
                .iter()
                .find_map(|setting| Some((setting, *setting.keys.iter().find(|known| **known == key)?)));
            let Some((setting, known)) = found else {
                let nearest = nearest(&[key], TABLE.iter().flat_map(|setting| setting.keys).copied());
                let key = quoted(key);
                problems.push(format!(
                    "{}: unknown key {key}: did you mean {nearest}?",
                    self.name
                ));
                continue;
            };
            match value_text(setting.form, value.get_ref()) {
                Some(text) => {
                    self.values.insert(known, text);
                }
                None => problems.push(format!(
                    "{}: {key} is not written as its kind of value is: {}",
                    self.name,
                    (setting.allowed)()
                )),
            }
        }
    }
}

/// The text of a value in a form that the setting may have.
fn value_text(form: Form, value: &DeValue<'_>) -> Option<String> {
    match (form, value) {
        (_, DeValue::String(text)) => Some(text.to_string()),
        (Form::Number, DeValue::Integer(number)) if number.radix() == 10 => Some(number.as_str().to_owned()),
        (Form::Number, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        (Form::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Form::List, DeValue::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            let texts = texts?;
            // A comma within an item would make two of it.
            (!texts.iter().any(|text| text.contains(','))).then(|| texts.join(","))
        }
        _ => None,
    }
}
