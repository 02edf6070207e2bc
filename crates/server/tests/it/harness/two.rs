//! Two servers in this process, as two nodes over one database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Span, Timestamp};
use server::clock::{Clock, SystemClock};
use server::server::Limits;

use super::front::Front;
use super::home::Home;

/// The contract's bound for what was revoked on another node.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// A clock that is wrong by this.
struct Apart(Span);

impl Clock for Apart {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

/// Two nodes. To be ended with [`Two::end`].
pub(crate) struct Two {
    pub(crate) one: Front,
    pub(crate) other: Front,
    pub(crate) home: Home,
}

impl Two {
    /// `None`, and the test is left out, where there is no PostgreSQL.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_apart(0).await
    }

    /// The clock of the other is so many seconds ahead.
    pub(crate) async fn start_apart(ahead_s: i64) -> Option<Self> {
        let home = Home::database()?;
        let clock = Apart(Span::from_nanos(ahead_s * 1_000_000_000));
        let limits = Limits::default();
        let name = |name| [("NODE_NAME", name)];
        let one = Front::start_at(&home, limits, Arc::new(SystemClock), &name("one")).await;
        let other = Front::start_at(&home, limits, Arc::new(clock), &name("other")).await;
        Some(Self { one, other, home })
    }

    /// Stops both and proves their store.
    pub(crate) async fn end(mut self) {
        self.one.stop().await;
        self.other.stop().await;
        let store = self.home.place().look_into().unwrap();
        let report = store::verify::verify(&*store, &mut |_| {});
        assert_eq!(report.findings, []);
    }
}

/// Asks with a token that was revoked on another node just now, until it is refused.
pub(crate) async fn must_be_refused_soon(front: &Front, token: &str, path: &str) {
    let began = Instant::now();
    while front.get(token, path).await.status.as_u16() != 401 {
        assert!(began.elapsed() < REVOKED_WITHIN, "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
