//! What can be proved of archived orders: their heads among themselves, and against the log's commits.

use model::Lifecycle;

use super::Verification;
use crate::records::OrderRecord;

/// Archived entries, as they are counted while commits and orders are looked at.
#[derive(Default)]
pub(super) struct Archived {
    pub(super) in_commits: u64,
    in_heads: u64,
}

impl Verification<'_> {
    /// An order is archived when it is final, and nothing is added to it afterwards.
    pub(super) fn archived_order(&mut self, place: &str, order: &OrderRecord, lifecycle: &Lifecycle) {
        let head = &order.head;
        self.report.archived_orders += 1;
        self.archived.in_heads += u64::from(head.version.get());
        if !lifecycle.is_final(head.status) {
            let status = lifecycle.state_name(head.status);
            self.found(
                place,
                format!("is archived and not final: its status is {status}"),
            );
        }
        if head.due_at().is_some() || !head.parked.is_empty() {
            self.found(place, "is archived, and something of it is due or parked");
        }
    }

    /// When everything has been looked at. An order has as many entries as its version says.
    pub(super) fn compare_archived(&mut self) {
        let (logged, said) = (self.archived.in_commits, self.archived.in_heads);
        if logged != said {
            self.found(
                "log",
                format!("has {logged} archived entries, the archived orders' versions say {said}"),
            );
        }
    }
}
