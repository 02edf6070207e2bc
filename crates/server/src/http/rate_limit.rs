//! Requests per minute of each principal, or of each address where there is none: a token bucket that holds a minute's worth.
//!
//! Told by the headers of draft-ietf-httpapi-ratelimit-headers.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::problem::{Kind, Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Who has a bucket. A name that reads like an address is still a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    Principal(Arc<str>),
    Address(IpAddr),
}

impl Caller {
    /// Of an address. Of IPv6 the network counts, as whoever has one has all its addresses.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Ipv6Addr::from_bits(network).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

type Limiter = RateLimiter<Caller, DashMapStateStore<Caller>, DefaultClock, StateInformationMiddleware>;

/// The limit; none where it is switched off.
pub(crate) struct RateLimit(Option<Buckets>);

struct Buckets {
    limiter: Limiter,
    clock: DefaultClock,
    per_minute: NonZeroU32,
    policy: HeaderValue,
}

/// What a response says of the limit.
pub(crate) struct Standing {
    policy: HeaderValue,
    limit: HeaderValue,
}

impl RateLimit {
    /// So many requests a minute; 0: no limit.
    pub(crate) fn per_minute(requests: u32) -> Self {
        Self(NonZeroU32::new(requests).map(|per_minute| {
            Buckets {
                limiter: RateLimiter::dashmap(Quota::per_minute(per_minute))
                    .with_middleware::<StateInformationMiddleware>(),
                clock: DefaultClock::default(),
                per_minute,
                policy: value(&format!("\"default\";q={per_minute};w=60")),
            }
        }))
    }

    /// Counts a request.
    pub(crate) fn count(&self, of: &Caller) -> Result<Option<Standing>, Problem> {
        let Some(buckets) = &self.0 else {
            return Ok(None);
        };
        match buckets.limiter.check_key(of) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(Some(buckets.standing(left)))
            }
            Err(wait) => {
                let wait = wait.wait_time_from(buckets.clock.now());
                let standing = buckets.standing(0);
                Err(Problem::new(
                    Kind::RateLimited,
                    format!("more than {} requests a minute", buckets.per_minute),
                )
                .retry_after(wait)
                .with_header(POLICY, standing.policy)
                .with_header(LIMIT, standing.limit))
            }
        }
    }

    /// Forgets those whose buckets are full again.
    pub(crate) fn tidy(&self) {
        if let Some(buckets) = &self.0 {
            buckets.limiter.retain_recent();
        }
    }
}

impl Buckets {
    fn standing(&self, left: u32) -> Standing {
        let per_minute = u64::from(self.per_minute.get());
        let missing = per_minute.saturating_sub(u64::from(left));
        let full_in = Duration::from_secs(60 * missing / per_minute);
        Standing {
            policy: self.policy.clone(),
            limit: value(&format!("\"default\";r={left};t={}", full_in.as_secs().max(1))),
        }
    }
}

impl Standing {
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(POLICY, self.policy);
        headers.insert(LIMIT, self.limit);
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
