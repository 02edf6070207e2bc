//! The digest chain over commits: a changed, missing or added entry anywhere in the log breaks it from there on.

use model::Entry;
use model::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::records::CommitId;

/// The number of the embedded store's one writer.
pub(crate) const ONE_WRITER: u32 = 1;

/// The digest before a writer's first commit: no chain of another store or writer can be put in its place.
pub(crate) fn genesis(store_id: &[u8; 16], writer: u32) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(b"waybill writer 1");
    digest.update(store_id);
    digest.update(writer.to_be_bytes());
    digest.finalize().into()
}

/// A commit's digest while its entries are added.
pub(crate) struct CommitDigest(Sha256);

impl CommitDigest {
    /// Begins with the writer's previous digest and the commit's own row. Positions are not in it: see ADR 3.
    pub(crate) fn new(previous: &[u8; 32], commit: CommitId, at: Timestamp, entries: u32) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"waybill commit 1");
        digest.update(previous);
        digest.update(commit.0.to_be_bytes());
        digest.update(at.as_nanos().to_be_bytes());
        digest.update(entries.to_be_bytes());
        Self(digest)
    }

    /// Adds the next entry of the commit.
    pub(crate) fn add(&mut self, entry: &Entry) {
        entry.digest_into(&mut self.0);
    }

    /// The digest.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
