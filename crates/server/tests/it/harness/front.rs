//! A whole server in this process, on a throw-away store, and a client that asks it over HTTP.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::clock::{Clock, SystemClock};
use server::engine::Handle;
use server::place::StorePlace;
use server::server::{Limits, Server};
use server::settings::{SettingFlags, Settings};
use sha2::Sha256;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::home::Home;

/// What the server signs its tokens with.
pub(crate) const SECRET: &str = "a-secret-of-tests-with-more-than-32-bytes";

/// A running server. To be ended with [`Front::end`].
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Handle,
    home: Option<Home>,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), server::app::StartError>>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Is this status, and if it is an error, a problem in full. Gives the body.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if status >= 400 {
            self.must_be_a_problem();
        }
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// Is this problem. Gives the body.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        let body = self.is(status);
        assert_eq!(body["error"], code, "{body}");
        body
    }

    /// Is a complaint about this field alone. Gives its message.
    #[track_caller]
    pub(crate) fn blames(&self, field: &str) -> String {
        let body = self.is_problem(400, "VALIDATION_FAILED");
        let errors = body["errors"].as_array().unwrap();
        let fields: Vec<&str> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, [field], "{body}");
        errors[0]["message"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn must_be_a_problem(&self) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["status_code"], body["status"]);
        assert_eq!(body["message"], body["detail"]);
        for member in [
            "type",
            "title",
            "detail",
            "instance",
            "error",
            "timestamp",
            "request_id",
        ] {
            assert!(body[member].is_string(), "{member} of {body}");
        }
        assert_eq!(self.header("x-request-id"), body["request_id"], "{body}");
    }
}

impl Front {
    /// A server as the tests like it: no rate limit, quiet.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings, as environment variables.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(Home::new(), settings).await
    }

    /// At a home that may have a store.
    pub(crate) async fn start_in(home: Home, settings: &[(&str, &str)]) -> Self {
        Self::start_within(Limits::default(), home, settings).await
    }

    /// Over a database that the caller keeps.
    pub(crate) async fn start_over(dsn: &str) -> Self {
        let home = Home::folder();
        let clock = Arc::new(SystemClock);
        let mut front = Self::start_at(&home, Limits::default(), clock, &[("PG_DSN", dsn)]).await;
        front.home = Some(home);
        front
    }

    /// With other limits than those of the contract.
    pub(crate) async fn start_within(limits: Limits, home: Home, settings: &[(&str, &str)]) -> Self {
        let mut front = Self::start_at(&home, limits, Arc::new(SystemClock), settings).await;
        front.home = Some(home);
        front
    }

    /// At a home that the caller keeps, by this clock.
    pub(crate) async fn start_at(
        home: &Home,
        limits: Limits,
        clock: Arc<dyn Clock>,
        settings: &[(&str, &str)],
    ) -> Self {
        let defaults = [
            ("APP_PORT", "0"),
            ("JWT_SECRET", SECRET),
            ("RATE_LIMIT_PER_MINUTE", "0"),
        ];
        let environment = defaults.iter().chain(settings);
        let environment = environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let environment = home.settings().into_iter().chain(environment);
        let (settings, _) = Settings::load(&SettingFlags::default(), environment, home.path()).unwrap();
        let place = StorePlace::of(&settings);
        let server = Server::start_within(settings, &place, limits, clock)
            .await
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        let (address, engine) = (server.address(), server.engine().clone());
        #[expect(clippy::disallowed_methods, reason = "the harness waits for it when it ends")]
        let served = tokio::spawn(server.run(async {
            stopped.await.ok();
        }));
        Self {
            address,
            engine,
            home: None,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Stops the server as a signal would, proves its store, and gives its home back.
    pub(crate) async fn end(mut self) -> Home {
        self.stop().await;
        let report = store::verify::verify(&**self.engine.store(), &mut |_| {});
        assert_eq!(report.findings, []);
        self.home.take().unwrap()
    }

    /// Stops the server as a signal would.
    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let served = self.served.take().unwrap();
        tokio::time::timeout(Duration::from_secs(60), served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Where its data are.
    pub(crate) fn home(&self) -> &Home {
        self.home.as_ref().unwrap()
    }

    /// An address in full.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request, to be added to and sent with [`Front::send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// Sends it.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Reply {
            status,
            headers,
            text,
        }
    }

    /// GET.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).bearer_auth(token))
            .await
    }

    /// POST of JSON.
    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body))
            .await
    }

    /// POST of any body.
    pub(crate) async fn post_text(
        &self,
        token: &str,
        path: &str,
        kind: &str,
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let request = self.request(Method::POST, path).bearer_auth(token);
        self.send(request.header("content-type", kind).body(body)).await
    }

    /// POST of an event whose outcome is waited for.
    pub(crate) async fn report(&self, token: &str, event: &Value) -> Reply {
        self.post_with(token, "/events", ("prefer", "wait=5"), event)
            .await
    }

    /// A shipment as its path shows it to staff.
    pub(crate) async fn shipment(&self, number: &str) -> Value {
        self.get(&operator(), &format!("/shipments/{number}"))
            .await
            .is(200)
    }

    /// The statuses of a shipment's history.
    pub(crate) async fn statuses(&self, number: &str) -> Vec<String> {
        let shipment = self.shipment(number).await;
        let history = shipment["status_history"].as_array().unwrap();
        let status = |entry: &Value| entry["status"].as_str().unwrap().to_owned();
        history.iter().map(status).collect()
    }

    /// POST of JSON, with one header more.
    pub(crate) async fn post_with(
        &self,
        token: &str,
        path: &str,
        header: (&str, &str),
        body: &Value,
    ) -> Reply {
        let request = self.request(Method::POST, path).bearer_auth(token);
        self.send(request.header(header.0, header.1).json(body)).await
    }

    /// A shipment of this client, by its number.
    pub(crate) async fn shipment_of(&self, client: &str) -> String {
        let made = self
            .post(&operator(), "/shipments", &new_shipment(client))
            .await
            .is(201);
        made["tracking_number"].as_str().unwrap().to_owned()
    }

    /// What comes back for these bytes, until the server closes or nothing more comes for `wait`. Blocks: not on a runtime's only thread.
    pub(crate) fn raw(&self, bytes: &[u8], wait: Duration) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(wait)).unwrap();
        // A server that refuses early may close while we write.
        stream.write_all(bytes).ok();
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            answer.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Front {
    /// The answer to these bytes, which are sent as they are. Blocks as [`Front::raw`] does.
    pub(crate) fn raw_reply(&self, bytes: &[u8]) -> Reply {
        let answer = self.raw(bytes, Duration::from_secs(5));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            ))
        };
        Reply {
            status: status.parse().unwrap(),
            headers: lines.filter_map(header).collect(),
            text: body.to_owned(),
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        assert!(
            self.served.is_none() || std::thread::panicking(),
            "a server was left running"
        );
    }
}

/// The body of `POST /shipments`.
pub(crate) fn new_shipment(client: &str) -> Value {
    json!({
        "origin_address": "1 First Street", "origin_lat": 52.52, "origin_lng": 13.405,
        "destination_address": "2 Second Street", "destination_lat": 48.137, "destination_lng": 11.575,
        "weight_kg": 2.5, "length_cm": 30, "width_cm": 20, "height_cm": 10.5,
        "content_description": "books", "client_id": client,
    })
}

/// The body of `POST /events`.
pub(crate) fn new_event(tracking_number: &str, status: &str, timestamp: &str) -> Value {
    json!({"tracking_number": tracking_number, "status": status, "timestamp": timestamp, "source": "scanner-1"})
}

/// A signed token with these claims.
pub(crate) fn sign(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hmac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes())
    )
}

/// A token as an outside issuer with the secret makes it.
pub(crate) fn token(subject: &str, role: &str, client: Option<&str>) -> String {
    let mut claims = json!({"sub": subject, "role": role, "iat": 1_767_225_600, "exp": 4_102_444_800_i64});
    if let Some(client) = client {
        claims["client_id"] = json!(client);
    }
    sign(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET)
}

pub(crate) fn admin() -> String {
    token("an-admin", "admin", None)
}

pub(crate) fn operator() -> String {
    token("an-operator", "operator", None)
}

pub(crate) fn client(name: &str) -> String {
    token(&format!("user-of-{name}"), "client", Some(name))
}

pub(crate) fn driver(name: &str) -> String {
    token(&format!("driver-of-{name}"), "driver", Some(name))
}

pub(crate) fn customer() -> String {
    token("a-customer", "customer", None)
}
