//! One CSV file, plain or gzip'd, row by row.
//!
//! Guarantees that one broken row costs that row only, and that every complaint names the physical line. For both, a
//! row is one physical line: a quote left open would otherwise swallow the rest of the file, and the CSV reader's own
//! line numbers drift at blank lines. The price is that a quoted cell cannot hold a line break; no column read
//! here has one. What the cells mean is left to [`super::cell`] and [`super::dataset`].

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;

use super::cell::{Cell, CellProblem};

/// Why the data as a whole cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Files are absent; all of them are named.
    #[error(
        "{} lacks {}: name the folder that holds the Olist data, each file as NAME.csv.gz or NAME.csv",
        dir.display(),
        files.join(", ")
    )]
    MissingFiles {
        /// The folder looked into.
        dir: PathBuf,
        /// The absent files, in the order in which they would be read.
        files: Vec<String>,
    },
    /// The header row is not that of the file expected.
    #[error("{file} lacks the columns {}; it has {}", missing.join(", "), or_none(found))]
    MissingColumns {
        /// The file's name.
        file: String,
        /// The columns that are not there.
        missing: Vec<&'static str>,
        /// The columns that are, in their order.
        found: Vec<String>,
    },
    /// A column needed is there more than once, so which is meant is a guess.
    #[error("{file} has the column {column} more than once")]
    RepeatedColumn {
        /// The file's name.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// The first line is no CSV header.
    #[error("{file}:1: the header {message}")]
    Header {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        message: &'static str,
    },
    /// The file cannot be opened, or not even its header be read.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// Why not.
        source: io::Error,
    },
}

fn or_none(columns: &[String]) -> String {
    if columns.is_empty() {
        "none".to_owned()
    } else {
        columns.join(", ")
    }
}

/// A row that was left out, and why: `FILE:LINE: COLUMN: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// The file's name, without its folder.
    pub file: String,
    /// The physical line, from 1; the header is line 1.
    pub line: u64,
    /// The column at fault; `None` when it is the row as a whole.
    pub column: Option<&'static str>,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: ", self.file, self.line)?;
        if let Some(column) = self.column {
            write!(out, "{column}: ")?;
        }
        out.write_str(&self.message)
    }
}

/// A row of one of the files: which columns it needs and how to read them.
pub(super) trait Row<const N: usize>: Sized {
    /// The columns needed, in the order in which [`Row::parse`] takes their cells.
    const COLUMNS: [&'static str; N];
    /// The column that a repeated key is reported under.
    const KEY_COLUMN: &'static str;

    /// Reads the row from its cells.
    fn parse(cells: [Cell<'_>; N]) -> Result<Self, CellProblem>;
    /// What no two rows of the file share.
    fn key(&self) -> String;
}

/// Finds `NAME.csv.gz`, else `NAME.csv`.
pub(super) fn locate(dir: &Path, name: &str) -> Option<PathBuf> {
    [format!("{name}.csv.gz"), format!("{name}.csv")]
        .into_iter()
        .map(|file| dir.join(file))
        .find(|path| path.is_file())
}

/// Reads every good row of the file at `path`, in its order; the bad ones go to `problems`.
pub(super) fn read_rows<R: Row<N>, const N: usize>(
    path: &Path,
    problems: &mut Vec<RowProblem>,
) -> Result<Vec<R>, DatasetError> {
    let mut table = Table::open(path, R::COLUMNS)?;
    let mut rows = Vec::new();
    let mut lines_by_key: HashMap<String, u64> = HashMap::new();
    while let Some(line) = table.next_line() {
        let parsed = line.and_then(|()| R::parse(table.cells()?)).and_then(|row| {
            let key = row.key();
            if let Some(first) = lines_by_key.get(&key) {
                return Err(CellProblem::at(
                    R::KEY_COLUMN,
                    format!("{key:?} repeats the key of line {first}"),
                ));
            }
            lines_by_key.insert(key, table.line);
            Ok(row)
        });
        match parsed {
            Ok(row) => rows.push(row),
            Err(CellProblem { column, message }) => {
                problems.push(RowProblem {
                    file: table.file.clone(),
                    line: table.line,
                    column,
                    message,
                });
            }
        }
    }
    Ok(rows)
}

/// An open file, at one of its lines.
struct Table<const N: usize> {
    file: String,
    input: Box<dyn BufRead>,
    columns: [&'static str; N],
    /// Where each of `columns` stands in a row.
    places: [usize; N],
    /// The number of columns of the header.
    width: usize,
    /// The physical line that `record` is from.
    line: u64,
    record: ByteRecord,
    buffer: Vec<u8>,
    ended: bool,
}

impl<const N: usize> Table<N> {
    fn open(path: &Path, columns: [&'static str; N]) -> Result<Self, DatasetError> {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let unreadable = |source| DatasetError::Unreadable {
            file: file.clone(),
            source,
        };
        let mut input = open(path).map_err(unreadable)?;
        let (mut buffer, mut record) = (Vec::new(), ByteRecord::new());
        input.read_until(b'\n', &mut buffer).map_err(unreadable)?;
        split(&buffer, &mut record).map_err(|message| DatasetError::Header {
            file: file.clone(),
            message,
        })?;
        let places = find_columns(&file, &record, columns)?;
        let width = record.len();
        Ok(Self {
            file,
            input,
            columns,
            places,
            width,
            line: 1,
            record,
            buffer,
            ended: false,
        })
    }

    /// Goes to the next line that is not blank; `None` at the end of the file.
    fn next_line(&mut self) -> Option<Result<(), CellProblem>> {
        while !self.ended {
            self.buffer.clear();
            self.line += 1;
            match self.input.read_until(b'\n', &mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(_) => match split(&self.buffer, &mut self.record) {
                    Ok(false) => {}
                    Ok(true) => return Some(Ok(())),
                    Err(message) => return Some(Err(CellProblem::row(message.to_owned()))),
                },
                // What was read of the line is not to be trusted: a number may have lost digits.
                Err(error) => {
                    self.ended = true;
                    return Some(Err(CellProblem::row(torn(&error))));
                }
            }
        }
        None
    }

    /// The cells of the current line, in the order of `columns`.
    fn cells(&self) -> Result<[Cell<'_>; N], CellProblem> {
        if self.record.len() != self.width {
            let (found, width) = (self.record.len(), self.width);
            return Err(CellProblem::row(format!(
                "has {found} fields, the header has {width}"
            )));
        }
        Ok(std::array::from_fn(|i| Cell {
            column: self.columns[i],
            bytes: &self.record[self.places[i]],
        }))
    }
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let plain = BufReader::new(File::open(path)?);
    Ok(if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(plain)))
    } else {
        Box::new(plain)
    })
}

fn torn(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the gzip stream ends here, unfinished: this row and all after it are lost".to_owned()
        }
        _ => format!("cannot be read ({error}): this row and all after it are lost"),
    }
}

/// Splits one line into `record`; `false` for a blank one.
fn split(line: &[u8], record: &mut ByteRecord) -> Result<bool, &'static str> {
    if line.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        return Err("has a quote that is not closed on its line");
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(1))
        .from_reader(line);
    let some = reader.read_byte_record(record).map_err(|_| "is not CSV")?;
    if some
        && reader
            .read_byte_record(&mut ByteRecord::new())
            .map_err(|_| "is not CSV")?
    {
        return Err("has a carriage return in the middle of its line");
    }
    Ok(some)
}

fn find_columns<const N: usize>(
    file: &str,
    header: &ByteRecord,
    columns: [&'static str; N],
) -> Result<[usize; N], DatasetError> {
    let file = file.to_owned();
    let places = columns.map(|column| header.iter().position(|found| found == column.as_bytes()));
    let missing: Vec<_> = columns
        .iter()
        .zip(places)
        .filter(|(_, place)| place.is_none())
        .map(|(column, _)| *column)
        .collect();
    if !missing.is_empty() {
        let found = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        return Err(DatasetError::MissingColumns { file, missing, found });
    }
    let repeated = |column: &&str| header.iter().filter(|found| *found == column.as_bytes()).count() > 1;
    if let Some(column) = columns.into_iter().find(repeated) {
        return Err(DatasetError::RepeatedColumn { file, column });
    }
    Ok(places.map(|place| place.expect("no column is missing: checked above")))
}
