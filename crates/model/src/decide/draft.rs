//! The entries of one decision while it is being made.

use super::{Context, names};
use crate::command::Actor;
use crate::entry::{Body, ENTRY_FORMAT, Entry, EntryKind, PrivateBody};
use crate::head::{Head, Parked};
use crate::ids::Version;
use crate::lifecycle::{Lifecycle, StateId, Step};
use crate::limits::MAX_ENTRIES;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::time::Timestamp;

pub(super) struct Draft<'a> {
    context: &'a Context<'a>,
    head: &'a Head,
    actor: &'a Actor,
    status: StateId,
    version: Version,
    recorded_at: Timestamp,
    waiting: Vec<Parked>,
    entries: Vec<Entry>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(context: &'a Context<'a>, head: &'a Head, actor: &'a Actor) -> Self {
        Self {
            context,
            head,
            actor,
            status: head.status,
            version: head.version,
            recorded_at: head.recorded_at,
            waiting: head.parked.clone(),
            entries: Vec::new(),
        }
    }

    pub(super) const fn context(&self) -> &'a Context<'a> {
        self.context
    }

    pub(super) const fn head(&self) -> &'a Head {
        self.head
    }

    pub(super) const fn lifecycle(&self) -> &'a Lifecycle {
        self.context.lifecycle
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(super) const fn role(&self) -> Role {
        self.actor.role
    }

    pub(super) const fn status(&self) -> StateId {
        self.status
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn finish(self) -> Vec<Entry> {
        self.entries
    }

    pub(super) fn state_named(&self, name: &str) -> Result<StateId, Refusal> {
        self.lifecycle()
            .state_named(name)
            .ok_or_else(|| Refusal::UnknownStatus {
                status: name.into(),
                known: names(self.lifecycle(), self.lifecycle().state_ids()),
            })
    }

    /// Whether the actor may go there from here by an arrow.
    pub(super) fn follow_arrow(&self, to: StateId) -> Result<(), Refusal> {
        match self.lifecycle().step(self.status, to) {
            Step::Allowed(arrow) if arrow.by.contains(self.role()) => Ok(()),
            Step::Allowed(_) => Err(Refusal::Forbidden(self.role())),
            Step::Same | Step::Late | Step::Early | Step::Never => Err(self.invalid_transition(to)),
        }
    }

    pub(super) fn invalid_transition(&self, to: StateId) -> Refusal {
        Refusal::InvalidTransition {
            from: self.lifecycle().state_name(self.status).into(),
            to: self.lifecycle().state_name(to).into(),
            allowed: names(
                self.lifecycle(),
                self.lifecycle().allowed(self.status, self.role()),
            ),
        }
    }

    /// Adds an entry after which the order has `status`. Actor, role and the status before are filled in.
    pub(super) fn push(
        &mut self,
        kind: EntryKind,
        status: StateId,
        occurred_at: Timestamp,
        mut body: Body<'_>,
        private: PrivateBody<'_>,
    ) {
        let sealed = private.seal(&self.context.salt);
        body.actor = Some(self.actor.party);
        body.role = Some(self.actor.role);
        body.previous = Some(self.status);
        body.private_digest = sealed.as_ref().map(crate::sealed::Sealed::digest);
        self.version = self.version.next();
        self.recorded_at = self.context.now.max(self.recorded_at.next_micro());
        // Counted until then, so that taking it off gives the time of receipt.
        body.queued_for = body
            .queued_for
            .map(|queued_for| queued_for + self.recorded_at.since(self.context.now));
        self.status = status;
        self.entries.push(Entry {
            order: self.head.order,
            version: self.version,
            kind,
            format: ENTRY_FORMAT,
            lifecycle: self.head.lifecycle,
            owner: self.head.owner,
            status,
            occurred_at,
            recorded_at: self.recorded_at,
            body: body.encode(),
            private: sealed,
        });
    }

    /// Applies what was parked and is allowed now, and gives up, at `given_up_at`, what no longer can be, until neither changes
    /// anything or the order is full.
    pub(super) fn settle_parked(&mut self, given_up_at: Timestamp) {
        while let Some(place) = self.settled_place() {
            let parked = self.waiting.remove(place);
            let body = Body {
                about: Some(parked.version),
                ..Body::default()
            };
            match self.lifecycle().step(self.status, parked.status) {
                Step::Allowed(arrow) if arrow.by.contains(parked.role) => {
                    let to = arrow.to;
                    self.push(
                        EntryKind::Released,
                        to,
                        parked.occurred_at,
                        body,
                        PrivateBody::default(),
                    );
                }
                Step::Allowed(_) | Step::Same | Step::Late | Step::Early | Step::Never => {
                    self.push(
                        EntryKind::Abandoned,
                        self.status,
                        given_up_at,
                        body,
                        PrivateBody::default(),
                    );
                }
            }
        }
    }

    /// Forgets a parked report that was struck.
    pub(super) fn forget_parked(&mut self, version: Version) {
        self.waiting.retain(|parked| parked.version != version);
    }

    /// Gives up what was to wait until `due_at` at most, as far as there is room; whether there was any.
    pub(super) fn abandon_expired(&mut self, due_at: Timestamp) -> bool {
        let (expired, waiting) = self.waiting.drain(..).partition(|parked| parked.until <= due_at);
        self.waiting = waiting;
        let expired: Vec<Parked> = expired;
        for parked in expired.iter().take(self.room()) {
            let body = Body {
                about: Some(parked.version),
                ..Body::default()
            };
            self.push(
                EntryKind::Abandoned,
                self.status,
                parked.until,
                body,
                PrivateBody::default(),
            );
        }
        !expired.is_empty()
    }

    /// Where a parked report stands that is early no more; none is looked for in a full order.
    fn settled_place(&self) -> Option<usize> {
        let mut waiting = self.waiting.iter();
        waiting
            .position(|parked| !self.still_early(parked))
            .filter(|_| self.room() > 0)
    }

    /// Entries that the order can still take.
    fn room(&self) -> usize {
        let room = MAX_ENTRIES.saturating_sub(self.version.get());
        usize::try_from(room).expect("32 bits fit a usize")
    }

    fn still_early(&self, parked: &Parked) -> bool {
        self.lifecycle().step(self.status, parked.status) == Step::Early
    }
}
