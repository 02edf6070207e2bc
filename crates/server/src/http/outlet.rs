//! Whether what a body has said has gone out, told to whoever makes the body.
//!
//! The HTTP library asks a body for more as long as it has some and its own buffer, of 64 KiB, is not full; and what that buffer has grown to, it keeps. For
//! an answer that is soon over this is right. Of ten thousand streams that go on for hours, each would keep 64 KiB for having had much to
//! say once. So a stream says a little, and goes on when that has gone out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A connection, as far as bytes go out of it.
#[derive(Clone, Default)]
pub(super) struct Outlet(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// How often something went out.
    writes: u64,
    /// The other side takes no more at the moment.
    is_blocked: bool,
    waiting: Option<Waker>,
}

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has gone out.
    pub(super) fn wrote(&self) {
        let mut state = self.lock();
        state.writes += 1;
        state.is_blocked = false;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Something could not go out.
    pub(super) fn blocked(&self) {
        self.lock().is_blocked = true;
    }

    /// For a body that goes out here.
    pub(super) fn outgoing(&self) -> Outgoing {
        Outgoing {
            outlet: self.clone(),
            said: 0,
            said_at: 0,
        }
    }
}

/// What a body has said at once.
pub(super) struct Outgoing {
    outlet: Outlet,
    /// Bytes since it was last seen that all had gone out.
    said: usize,
    /// How often something had gone out before the last of them.
    said_at: u64,
}

impl Outgoing {
    /// Waits, where `bytes` have been said at once, until they have gone out.
    pub(super) fn poll_below(&mut self, bytes: usize, context: &mut Context<'_>) -> Poll<()> {
        if self.said < bytes {
            return Poll::Ready(());
        }
        let mut state = self.outlet.lock();
        // What is said is written whole, or until the other side takes no more.
        if state.writes > self.said_at && !state.is_blocked {
            self.said = 0;
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// So many bytes were said.
    pub(super) fn said(&mut self, bytes: usize) {
        self.said += bytes;
        self.said_at = self.outlet.lock().writes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_until_what_it_said_has_gone_out() {
        let outlet = Outlet::default();
        outlet.wrote();
        let mut outgoing = outlet.outgoing();
        let mut context = Context::from_waker(Waker::noop());
        let mut may_say = |outgoing: &mut Outgoing| outgoing.poll_below(100, &mut context).is_ready();
        outgoing.said(99);
        assert!(may_say(&mut outgoing));
        outgoing.said(1);
        assert!(!may_say(&mut outgoing));
        outlet.blocked();
        assert!(!may_say(&mut outgoing));
        outlet.wrote();
        outlet.blocked();
        assert!(!may_say(&mut outgoing), "a part of it has gone");
        outlet.wrote();
        assert!(may_say(&mut outgoing));
        outgoing.said(100);
        assert!(!may_say(&mut outgoing), "what went out before was not this");
        outlet.wrote();
        assert!(may_say(&mut outgoing));
    }
}
