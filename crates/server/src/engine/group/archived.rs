//! Changes of orders whose history is archived.

use model::command::{Actor, Change};
use model::decide::decide_archived;
use model::fingerprint::ReportHashes;
use store::{Error, Loaded};

use super::super::answer::Outcome;
use super::{GroupState, outcome_without_entry};

impl GroupState<'_> {
    /// Judged by the head alone. Its fingerprints were kept, those beside it too: a sender that repeats itself is told so.
    pub(super) fn change_archived(
        &mut self,
        loaded: &Loaded,
        actor: &Actor,
        change: &Change,
        hashes: &ReportHashes,
    ) -> Result<Outcome, Error> {
        let head = &loaded.head;
        let mut earlier = None;
        if let Some(hash) = hashes.report {
            earlier = head.recent.versions_with(hash).next();
            if earlier.is_none() && head.recent.has_older() {
                earlier = self.group.older_versions(head.order, hash)?.into_iter().next();
            }
        }
        let lifecycle = self.lifecycle(head.lifecycle)?;
        let decision = decide_archived(lifecycle, head, actor, change, earlier);
        Ok(outcome_without_entry(head, decision))
    }
}
