//! The file that a partition of the log is written to before it is detached: gzip, a line of JSON each.
//!
//! The first line says what it is the archive of. Then comes a line for each order, with all its entries that lie in the partition as they
//! are stored, and one for each commit that has entries there: `docs/adr/0024-archived-partitions.md` says how the one is proved by
//! the other. What is given back is on the disk, and was read again from there.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::ids::OrderKey;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::CommitId;
use store::postgres::archive::{ArchivedCommit, ArchivedOrder, Archiver, Partition};

/// Of the form of a file: a reader of a later one knows this one too.
const FORMAT: u32 = 1;

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk.
    #[error("{path} cannot be written or read: {error}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// What was read back is not what was written, or not what the partition holds.
    #[error("{path} does not hold what was written to it ({what}): nothing was changed in the store, look at the disk", path = .path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// How.
        what: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A file that is whole.
#[derive(Debug)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// How long it is.
    pub bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    Archive {
        format: u32,
        store_id: String,
        partition: &'a str,
        first_place: i64,
        places_end: i64,
        entries: u64,
        orders: u64,
    },
    Order {
        order: &'a str,
        order_key: i64,
        lifecycle: &'a str,
        lifecycle_version: u32,
        client: Option<&'a str>,
        customer: Option<&'a str>,
        created_at: i64,
        entries: Vec<EntryLine>,
    },
    Commit {
        commit: i64,
        writer: u32,
        number: i64,
        committed_at: i64,
        first_position: i64,
        first_place: i64,
        entries: u32,
        node: &'a str,
        previous_digest: Option<String>,
        digest: String,
    },
}

/// Times are nanoseconds since 1970 UTC; bodies are base64.
#[derive(Serialize)]
struct EntryLine {
    place: i64,
    version: u32,
    kind: u8,
    format: u8,
    lifecycle_id: u32,
    tenant_id: u32,
    client_id: u32,
    customer_id: u32,
    status: u8,
    occurred_at: i64,
    recorded_at: i64,
    body: String,
    private: Option<String>,
}

/// A line, as far as it is counted.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Counted {
    Archive(IgnoredAny),
    Order { entries: Vec<IgnoredAny> },
    Commit(IgnoredAny),
}

/// What a file holds: the digest is that of its lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    orders: u64,
    entries: u64,
    commits: u64,
    digest: [u8; 32],
}

/// Writes a partition to a file in a folder, in the place of one that an earlier run may have left, and reads it back. `progress` is told
/// how many entries have been written.
///
/// # Errors
/// [`ArchiveError`].
pub fn write(
    archiver: &mut Archiver,
    partition: &Partition,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Written, ArchiveError> {
    let store = hex(archiver
        .store_id()
        .first_chunk::<4>()
        .map_or(&[][..], |id| &id[..]));
    let path = folder.join(format!("waybill-{store}-{}.ndjson.gz", partition.name));
    let unfinished = path.with_extension("gz.part");
    let written = write_lines(archiver, partition, &unfinished, progress)?;
    let failed = |error| ArchiveError::File {
        path: path.clone(),
        error,
    };
    std::fs::rename(&unfinished, &path).map_err(failed)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    let (found, sha256, bytes) = read_back(&path).map_err(failed)?;
    let differs = |what: &str| {
        Err(ArchiveError::Differs {
            path: path.clone(),
            what: what.to_owned(),
        })
    };
    if found != written {
        return differs("its lines are others");
    }
    if (found.orders, found.entries) != (partition.orders, partition.entries) {
        return differs("the partition holds more or less");
    }
    Ok(Written { path, sha256, bytes })
}

fn write_lines(
    archiver: &mut Archiver,
    partition: &Partition,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Content, ArchiveError> {
    let failed = |error| ArchiveError::File {
        path: path.to_owned(),
        error,
    };
    let mut options = OpenOptions::new();
    // Personal data are in it.
    let file = options.write(true).create(true).truncate(true).mode(0o600);
    let file = file.open(path).map_err(failed)?;
    let mut lines = Lines {
        to: GzEncoder::new(BufWriter::new(file), Compression::default()),
        digest: Sha256::new(),
    };
    let mut content = Content::default();
    lines.add(&head(archiver, partition)).map_err(failed)?;
    let mut after = OrderKey::new(0);
    loop {
        let orders = archiver.orders_after(partition, after)?;
        let Some(last) = orders.last() else { break };
        after = last.order;
        for order in &orders {
            lines.add(&order_line(order)).map_err(failed)?;
            content.orders += 1;
            content.entries += count(order.entries.len());
        }
        progress(content.entries);
    }
    let mut after = CommitId(0);
    loop {
        let commits = archiver.commits_after(partition, after)?;
        let Some(last) = commits.last() else { break };
        after = last.commit.commit;
        for commit in &commits {
            lines.add(&commit_line(commit)).map_err(failed)?;
        }
        content.commits += count(commits.len());
    }
    content.digest = lines.finish().map_err(failed)?;
    Ok(content)
}

fn head<'a>(archiver: &Archiver, partition: &'a Partition) -> Line<'a> {
    Line::Archive {
        format: FORMAT,
        store_id: hex(archiver.store_id()),
        partition: &partition.name,
        first_place: partition.first_place,
        places_end: partition.places_end,
        entries: partition.entries,
        orders: partition.orders,
    }
}

fn order_line(order: &ArchivedOrder) -> Line<'_> {
    let entries = order.entries.iter().map(|(place, entry)| EntryLine {
        place: *place,
        version: entry.version.get(),
        kind: entry.kind.number(),
        format: entry.format,
        lifecycle_id: entry.lifecycle.get(),
        tenant_id: entry.owner.tenant.get(),
        client_id: entry.owner.client.get(),
        customer_id: entry.owner.customer.get(),
        status: entry.status.number(),
        occurred_at: entry.occurred_at.as_nanos(),
        recorded_at: entry.recorded_at.as_nanos(),
        body: STANDARD.encode(&entry.body),
        private: entry
            .private
            .as_ref()
            .map(|sealed| STANDARD.encode(sealed.as_bytes())),
    });
    Line::Order {
        order: order.public_id.as_str(),
        order_key: order.order.get(),
        lifecycle: &order.lifecycle,
        lifecycle_version: order.lifecycle_version,
        client: order.client.as_deref(),
        customer: order.customer.as_deref(),
        created_at: order.created_at.as_nanos(),
        entries: entries.collect(),
    }
}

fn commit_line(archived: &ArchivedCommit) -> Line<'_> {
    let commit = &archived.commit;
    Line::Commit {
        commit: commit.commit.0,
        writer: commit.writer,
        number: commit.number.0,
        committed_at: commit.at.as_nanos(),
        first_position: commit.first_position.get(),
        first_place: archived.first_place,
        entries: commit.entries,
        node: &archived.node,
        previous_digest: archived.previous_digest.map(|digest| hex(&digest)),
        digest: hex(&commit.digest),
    }
}

/// Lines on their way into a file.
struct Lines {
    to: GzEncoder<BufWriter<File>>,
    digest: Sha256,
}

impl Lines {
    fn add(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.to.write_all(&text)
    }

    /// On the disk; gives the digest of all lines.
    fn finish(self) -> io::Result<[u8; 32]> {
        let file = self
            .to
            .finish()?
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(self.digest.finalize().into())
    }
}

/// What a file holds, its own digest and its length.
fn read_back(path: &Path) -> io::Result<(Content, [u8; 32], u64)> {
    let mut file = Digested {
        from: File::open(path)?,
        digest: Sha256::new(),
        bytes: 0,
    };
    let mut content = Content::default();
    let mut digest = Sha256::new();
    let mut lines = BufReader::new(GzDecoder::new(BufReader::new(&mut file)));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        digest.update(&line);
        match serde_json::from_slice(&line)? {
            Counted::Archive(_) => {}
            Counted::Order { entries } => {
                content.orders += 1;
                content.entries += count(entries.len());
            }
            Counted::Commit(_) => content.commits += 1,
        }
        line.clear();
    }
    drop(lines);
    io::copy(&mut file, &mut io::sink())?;
    content.digest = digest.finalize().into();
    Ok((content, file.digest.finalize().into(), file.bytes))
}

/// Takes a digest of what is read.
struct Digested {
    from: File,
    digest: Sha256,
    bytes: u64,
}

impl Read for Digested {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.digest.update(into.get(..read).unwrap_or_default());
        self.bytes += count(read);
        Ok(read)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Bytes as people compare them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
