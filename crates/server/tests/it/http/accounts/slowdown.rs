//! Wrong passwords make further tries wait: by name and by address, and nobody for ever.

use std::sync::Arc;

use futures_util::future::join_all;
use model::time::{Span, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use server::clock::ManualClock;
use server::http::limits::{LOGIN_FREE_BY_ADDRESS, LOGIN_FREE_BY_NAME, LOGIN_LONGEST_WAIT};
use server::server::Limits;

use super::PASSWORD;
use crate::harness::front::{Front, Reply};
use crate::harness::home::Home;

const WRONG: &str = "password124";
const OWNER: &str = "customer_user_001";

/// A server behind a proxy, so that a test may come from anywhere, by a clock that stands.
struct Door {
    front: Front,
    clock: Arc<ManualClock>,
    _home: Home,
}

impl Door {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600).unwrap()));
        let home = Home::new();
        let trusted = [("TRUSTED_PROXIES", "127.0.0.1/32")];
        let front = Front::start_at(&home, Limits::default(), clock.clone(), &trusted).await;
        server::accounts::seed_demo(&front.engine).await.unwrap();
        Self {
            front,
            clock,
            _home: home,
        }
    }

    async fn login(&self, from: &str, name: &str, password: &str) -> Reply {
        let body = json!({"username": name, "password": password});
        let request = self.front.request(Method::POST, "/auth/login").json(&body);
        self.front.send(request.header("X-Forwarded-For", from)).await
    }

    /// Wrong passwords for a name, each of them looked at.
    async fn fail(&self, from: &str, name: &str, times: u32) {
        for _ in 0..times {
            self.login(from, name, WRONG)
                .await
                .is_problem(401, "UNAUTHENTICATED");
        }
    }

    fn wait(&self, seconds: u32) {
        self.clock.advance(Span::from_seconds(seconds));
    }

    async fn close(mut self) {
        self.front.stop().await;
    }
}

/// Is told to wait; so many seconds.
#[track_caller]
fn told_to_wait(reply: &Reply) -> u32 {
    reply.is_problem(429, "RATE_LIMITED");
    reply.header("retry-after").parse().unwrap()
}

/// What of an answer could tell one name from another.
fn shown(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let mut body = reply.json();
    for own in ["request_id", "timestamp"] {
        body.as_object_mut().unwrap().remove(own);
    }
    let headers = reply.headers.iter();
    let own = ["x-request-id", "date"];
    let headers = headers.filter(|(name, _)| !own.contains(&name.as_str()));
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut headers: Vec<(String, String)> = headers.map(text).collect();
    headers.sort();
    (reply.status.as_u16(), body, headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_there_is_cannot_be_told_from_the_answers_slowed_down_or_not() {
    let door = Door::open().await;
    for number in 0..LOGIN_FREE_BY_NAME + 8 {
        // From addresses of their own, so that neither has the other's tries counted.
        let known = door.login("192.0.2.1", OWNER, WRONG).await;
        let unknown = door.login("192.0.2.2", "nobody_at_all", WRONG).await;
        assert_eq!(shown(&known), shown(&unknown));
        let is_slowed = number >= LOGIN_FREE_BY_NAME;
        assert_eq!(known.status.as_u16(), if is_slowed { 429 } else { 401 });
        // Every other time the next try is one that is looked at.
        if is_slowed && number % 2 == 0 {
            door.wait(told_to_wait(&known));
            let known = door.login("192.0.2.1", OWNER, WRONG).await;
            let unknown = door.login("192.0.2.2", "nobody_at_all", WRONG).await;
            assert_eq!(known.status.as_u16(), 401);
            assert_eq!(shown(&known), shown(&unknown));
        }
    }
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_double_up_to_the_longest_and_the_right_password_ends_them() {
    let door = Door::open().await;
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    let longest = u32::try_from(LOGIN_LONGEST_WAIT.as_secs()).unwrap();
    for wanted in [1, 2, 4, 8, 16, 32, 64, 128, 256, longest, longest] {
        // The right one is not looked at either, or the wait would tell it.
        let refused = door.login("192.0.2.1", OWNER, PASSWORD).await;
        assert_eq!(told_to_wait(&refused), wanted);
        door.wait(wanted - 1);
        assert_eq!(told_to_wait(&door.login("192.0.2.1", OWNER, PASSWORD).await), 1);
        door.wait(1);
        door.fail("192.0.2.1", OWNER, 1).await;
    }
    door.wait(longest);
    door.login("192.0.2.1", OWNER, PASSWORD).await.is(200);
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    told_to_wait(&door.login("192.0.2.1", OWNER, WRONG).await);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_the_same_however_it_is_written_and_whatever_the_field_and_path() {
    let door = Door::open().await;
    door.fail("192.0.2.1", "Customer_User_001", LOGIN_FREE_BY_NAME / 2)
        .await;
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME / 2).await;
    told_to_wait(&door.login("192.0.2.1", " CUSTOMER_USER_001", WRONG).await);
    let body = json!({"email": OWNER, "password": PASSWORD});
    let elsewhere = door.front.request(Method::POST, "/api/v1/auth/login").json(&body);
    told_to_wait(
        &door
            .front
            .send(elsewhere.header("X-Forwarded-For", "192.0.2.1"))
            .await,
    );
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_keeps_the_owner_out_for_no_longer_than_the_longest_wait() {
    let door = Door::open().await;
    // Many addresses, so that none of them is slowed down for itself.
    let attacker = |number: u32| format!("198.51.100.{}", number % 30);
    for number in 0..300 {
        door.login(&attacker(number), OWNER, WRONG).await;
        door.wait(1);
    }
    let wait = told_to_wait(&door.login("192.0.2.1", OWNER, PASSWORD).await);
    assert!(u64::from(wait) <= LOGIN_LONGEST_WAIT.as_secs(), "{wait}");
    // They go on all the time, and do not put it off.
    let mut looked_at = 0;
    for number in 0..wait {
        let tried = door.login(&attacker(number), OWNER, WRONG).await;
        looked_at += u32::from(tried.status.as_u16() == 401);
        let left = told_to_wait(&door.login("192.0.2.1", OWNER, PASSWORD).await);
        assert_eq!(left, wait - number);
        door.wait(1);
    }
    assert!(looked_at > 0, "the attacker has had turns of his own");
    door.login("192.0.2.1", OWNER, PASSWORD).await.is(200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_has_one_turn_however_many_tries_come_at_once() {
    let door = Door::open().await;
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    door.wait(1);
    let tries = (0..20).map(|_| door.login("192.0.2.1", OWNER, WRONG));
    let tried = join_all(tries).await;
    let looked_at = tried.iter().filter(|reply| reply.status.as_u16() == 401);
    assert_eq!(looked_at.count(), 1);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_accounts_and_other_addresses_are_not_slowed_down() {
    let door = Door::open().await;
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    told_to_wait(&door.login("192.0.2.1", OWNER, WRONG).await);
    door.login("192.0.2.1", "customer_user_002", PASSWORD)
        .await
        .is(200);
    door.login("192.0.2.7", "customer_user_002", PASSWORD)
        .await
        .is(200);
    // Once it has been quiet for the time of the wait, the owner comes in at once from anywhere.
    door.wait(1);
    door.login("192.0.2.7", OWNER, PASSWORD).await.is(200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_tries_many_accounts_is_slowed_down() {
    let door = Door::open().await;
    for number in 0..LOGIN_FREE_BY_ADDRESS {
        door.fail("192.0.2.1", &format!("user-{number}"), 1).await;
    }
    // Its own account does not wash it clean.
    let refused = door.login("192.0.2.1", OWNER, PASSWORD).await;
    assert_eq!(told_to_wait(&refused), 1);
    door.wait(1);
    door.login("192.0.2.1", OWNER, PASSWORD).await.is(200);
    // The right password has not used up the turn of the next who comes from there.
    for wanted in [2, 4, 8, 16, 30, 30] {
        door.fail("192.0.2.1", "another", 1).await;
        let refused = door.login("192.0.2.1", "customer_user_002", PASSWORD).await;
        assert_eq!(told_to_wait(&refused), wanted);
        door.wait(wanted);
        door.login("192.0.2.1", "customer_user_002", PASSWORD)
            .await
            .is(200);
    }
    // The network of an address of IPv6 is one.
    for number in 0..LOGIN_FREE_BY_ADDRESS {
        let address = format!("2001:db8::{number:x}");
        door.fail(&address, &format!("user-{number}-of-six"), 1).await;
    }
    told_to_wait(&door.login("2001:db8::ffff", "another", WRONG).await);
    door.login("2001:db8:0:1::1", OWNER, PASSWORD).await.is(200);
    door.login("192.0.2.2", OWNER, PASSWORD).await.is(200);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_of_long_ago_count_no_more() {
    let door = Door::open().await;
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    door.wait(3_600);
    door.fail("192.0.2.1", OWNER, LOGIN_FREE_BY_NAME).await;
    told_to_wait(&door.login("192.0.2.1", OWNER, WRONG).await);
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_current_password_of_a_session_is_slowed_down_too() {
    let door = Door::open().await;
    let token = door.login("192.0.2.1", OWNER, PASSWORD).await.is(200)["token"].clone();
    let change = |current: &'static str| {
        let body = json!({"password": "another password", "current_password": current});
        let request = door.front.request(Method::PUT, "/api/v1/users/me").json(&body);
        let request = request.bearer_auth(token.as_str().unwrap());
        door.front.send(request.header("X-Forwarded-For", "192.0.2.1"))
    };
    for _ in 0..LOGIN_FREE_BY_NAME {
        change(WRONG).await.blames("current_password");
    }
    let wait = told_to_wait(&change(PASSWORD).await);
    door.wait(wait);
    change(PASSWORD).await.is(200);
    door.close().await;
}
