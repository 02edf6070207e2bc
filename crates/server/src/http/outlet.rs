//! How much of a body has gone out, told to whoever makes the body.
//!
//! The HTTP library asks a body for more as long as it has some and its own buffer, of 64 KiB, is not full; and what that buffer has grown to, it keeps. For
//! an answer that is soon over this is right. Of ten thousand streams that go on for hours, each would keep 64 KiB for having had much to
//! say once. So a stream says no more than a little before that has gone out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A connection, as far as bytes go out of it.
#[derive(Clone, Default)]
pub(super) struct Outlet(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    written: u64,
    waiting: Option<Waker>,
}

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes have gone out.
    pub(super) fn written(&self, bytes: usize) {
        let mut state = self.lock();
        state.written += u64::try_from(bytes).unwrap_or_default();
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Counts what goes out from now on.
    pub(super) fn count(&self) -> Outgoing {
        Outgoing {
            begun_at: self.lock().written,
            outlet: self.clone(),
            said: 0,
        }
    }
}

/// What a body has said, and what of it has gone out.
pub(super) struct Outgoing {
    outlet: Outlet,
    begun_at: u64,
    said: u64,
}

impl Outgoing {
    /// Waits until less than `bytes` have been said that have not gone out.
    pub(super) fn poll_below(&self, bytes: u64, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.outlet.lock();
        let gone = state.written.saturating_sub(self.begun_at);
        if self.said.saturating_sub(gone) < bytes {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// A piece of so many bytes is said: it goes out as a chunk (RFC 9112, 7.1).
    pub(super) fn said(&mut self, bytes: usize) {
        let digits = usize::BITS.div_ceil(4) - bytes.leading_zeros() / 4;
        let chunk = u64::try_from(bytes).unwrap_or_default() + u64::from(digits.max(1)) + 4;
        self.said += chunk;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_until_what_it_said_has_gone_out() {
        let outlet = Outlet::default();
        outlet.written(1_000);
        let mut outgoing = outlet.count();
        let mut context = Context::from_waker(Waker::noop());
        let mut is_below = |outgoing: &Outgoing| outgoing.poll_below(100, &mut context).is_ready();
        outgoing.said(90);
        assert!(is_below(&outgoing), "90 bytes and 6 of the chunk");
        outgoing.said(1);
        assert!(!is_below(&outgoing));
        outlet.written(1);
        assert!(!is_below(&outgoing));
        outlet.written(1);
        assert!(is_below(&outgoing));
    }

    #[test]
    fn a_chunk_has_its_length_in_hexadecimal() {
        for (bytes, chunk) in [(1, 6), (15, 20), (16, 22), (255, 261), (256, 263), (4_096, 4_104)] {
            let mut outgoing = Outlet::default().count();
            outgoing.said(bytes);
            assert_eq!(outgoing.said, chunk, "{bytes}");
        }
    }
}
