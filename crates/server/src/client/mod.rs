//! A client of a running server: JSON over plain HTTP, patient with a server that restarts or is busy.
//!
//! Whatever is sent may be sent again: that is for requests that do the same when they come twice, by what they are (events)
//! or by their `Idempotency-Key` (creations). The body of a request is given as bytes and sent as they are each time. The
//! token shows in no error and no log. What the answers mean is left to the caller.

mod access;
mod address;
mod limits;
mod problem;
mod retry;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use access::{Access, BadToken, TOKEN_VARIABLE, Token};
pub use address::{BadServerUrl, ServerUrl};
pub use limits::PATIENCE;
pub use problem::Problem;
pub(crate) use problem::printable;

use crate::latencies::{CommitLatencies, Percentiles};
use limits::{ANSWER_BYTES, ANSWER_TIMEOUT, CONNECT_TIMEOUT};
use retry::{Patience, Verdict, verdict};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The operator of a server with demo data.
const SEEDED_OPERATOR: &str = "operator_user";
/// Every seeded user's password: public, and refused by a server with data of its own.
const SEEDED_PASSWORD: &str = "password123";

/// Why a request has no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot be made.
    #[error("no HTTP client: {0}")]
    Setup(String),
    /// The seeded operator is not there, or has another password.
    #[error(
        "signing in as {SEEDED_OPERATOR} was refused: {0}. Set {TOKEN_VARIABLE} to an API key or a token of an operator"
    )]
    SignIn(Box<Problem>),
    /// The server refused.
    #[error("the server refused {request}: {problem}")]
    Refused {
        /// What was asked: method and path.
        request: String,
        /// In the server's words.
        problem: Box<Problem>,
    },
    /// Nothing got through for [`PATIENCE`].
    #[error("no progress in {} s: {trouble}", PATIENCE.as_secs())]
    OutOfPatience {
        /// What stood in the way last.
        trouble: String,
    },
    /// The answer is not what Waybill answers.
    #[error("the answer to {request} cannot be read, is this a Waybill server? {why}")]
    Unreadable {
        /// What was asked: method and path.
        request: String,
        /// What is wrong with the answer.
        why: String,
    },
}

/// A request. The same bytes are sent at each try.
#[derive(Clone, Debug)]
pub struct Post<'a> {
    /// The path, from the slash.
    pub path: &'a str,
    /// JSON.
    pub body: Bytes,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// `Prefer: wait`, in seconds.
    pub wait_s: Option<u32>,
}

/// An answer of success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// The content.
    pub body: T,
    /// Whether it is the stored answer to an earlier request with the same key.
    pub replayed: bool,
    /// How often the request was sent.
    pub tries: u64,
}

/// A connection pool to one server, signed in. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

struct Parts {
    http: reqwest::Client,
    server: ServerUrl,
    access: Access,
    token: Mutex<Option<Token>>,
    random: Mutex<StdRng>,
    /// When any request was last answered for good.
    progress: Mutex<Option<Instant>>,
    latencies: CommitLatencies,
}

/// An answer as it came.
struct Raw {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// Signs in, if the access is not a token.
    ///
    /// # Errors
    /// [`ClientError`]; each message names the cure where there is one.
    pub async fn connect(server: ServerUrl, access: Access) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("waybill/", env!("CARGO_PKG_VERSION")))
            // The token goes to the server that was named and nowhere else.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|error| ClientError::Setup(innermost(&error)))?;
        let random =
            StdRng::try_from_rng(&mut SysRng).map_err(|error| ClientError::Setup(error.to_string()))?;
        let client = Self(Arc::new(Parts {
            http,
            server,
            token: Mutex::new(match &access {
                Access::Given(token) => Some(token.clone()),
                Access::SeededOperator => None,
            }),
            access,
            random: Mutex::new(random),
            progress: Mutex::new(None),
            latencies: CommitLatencies::default(),
        }));
        if matches!(client.0.access, Access::SeededOperator) {
            client.sign_in().await?;
        }
        Ok(client)
    }

    /// Sends JSON and reads JSON, for as long as there is patience.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_json<T: DeserializeOwned>(&self, post: &Post<'_>) -> Result<Answered<T>, ClientError> {
        self.ask_json(&Method::POST, post).await
    }

    /// As [`Client::post_json`], of what stands under this path.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put_json<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, ClientError> {
        let put = Post {
            path,
            body,
            idempotency_key: None,
            wait_s: None,
        };
        Ok(self.ask_json(&Method::PUT, &put).await?.body)
    }

    /// Reads the JSON that stands under this path.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let get = Post {
            path,
            body: Bytes::new(),
            idempotency_key: None,
            wait_s: None,
        };
        Ok(self.ask_json(&Method::GET, &get).await?.body)
    }

    async fn ask_json<T: DeserializeOwned>(
        &self,
        method: &Method,
        post: &Post<'_>,
    ) -> Result<Answered<T>, ClientError> {
        let mut tries = 0;
        let answer = match self.exchange(method, post, self.token(), &mut tries).await {
            // A session ends after a day, or with the server's key.
            Err(ClientError::Refused { problem, .. })
                if problem.status == StatusCode::UNAUTHORIZED
                    && matches!(self.0.access, Access::SeededOperator) =>
            {
                self.sign_in().await?;
                self.exchange(method, post, self.token(), &mut tries).await?
            }
            answer => answer?,
        };
        let replayed = answer.headers.get(IDEMPOTENT_REPLAYED);
        Ok(Answered {
            replayed: replayed.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")),
            body: read(&request_line(method, post), &answer.body)?,
            tries,
        })
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &ServerUrl {
        &self.0.server
    }

    /// How long answers took, tries that failed included; `None` before the first.
    #[must_use]
    pub fn latencies(&self) -> Option<Percentiles> {
        self.0.latencies.percentiles()
    }

    fn token(&self) -> Option<Token> {
        self.0
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn sign_in(&self) -> Result<(), ClientError> {
        #[derive(Deserialize)]
        struct Session {
            token: String,
        }
        let post = Post {
            path: "/auth/login",
            body: json!({"username": SEEDED_OPERATOR, "password": SEEDED_PASSWORD})
                .to_string()
                .into(),
            idempotency_key: None,
            wait_s: None,
        };
        let answer = match self.exchange(&Method::POST, &post, None, &mut 0).await {
            Err(ClientError::Refused { problem, .. }) => return Err(ClientError::SignIn(problem)),
            answer => answer?,
        };
        let unreadable = |why: String| ClientError::Unreadable {
            request: request_line(&Method::POST, &post),
            why,
        };
        // What serde says could repeat the token.
        let session: Session =
            serde_json::from_slice(&answer.body).map_err(|_| unreadable("it has no token".to_owned()))?;
        let token = Token::new(&session.token).map_err(|_| unreadable("its token is none".to_owned()))?;
        *self.0.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(())
    }

    /// Sends until there is an answer for good.
    async fn exchange(
        &self,
        method: &Method,
        post: &Post<'_>,
        token: Option<Token>,
        tries: &mut u64,
    ) -> Result<Raw, ClientError> {
        let mut patience = Patience::new();
        loop {
            *tries += 1;
            let (trouble, told) = match self.send(method, post, token.as_ref()).await {
                Err(trouble) => (trouble, None),
                Ok(answer) => match verdict(answer.status, &answer.headers, post.idempotency_key.is_some()) {
                    Verdict::Done => {
                        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(Instant::now());
                        return Ok(answer);
                    }
                    Verdict::Refused => {
                        return Err(ClientError::Refused {
                            request: request_line(method, post),
                            problem: Box::new(Problem::read(answer.status, &answer.body)),
                        });
                    }
                    Verdict::Again(told) => (Problem::read(answer.status, &answer.body).to_string(), told),
                },
            };
            if !patience.was_tried() {
                tracing::warn!(
                    http.route = post.path,
                    trouble,
                    "sent again until it gets through"
                );
            }
            tokio::time::sleep(self.pause(&mut patience, told, trouble)?).await;
        }
    }

    fn pause(
        &self,
        patience: &mut Patience,
        told: Option<Duration>,
        trouble: String,
    ) -> Result<Duration, ClientError> {
        let progress = *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let jitter: f64 = self
            .0
            .random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random();
        patience
            .pause(Instant::now(), progress, told, jitter)
            .ok_or(ClientError::OutOfPatience { trouble })
    }

    /// One try. The error says why there is no answer.
    async fn send(&self, method: &Method, post: &Post<'_>, token: Option<&Token>) -> Result<Raw, String> {
        let began = Instant::now();
        let answer = whole(self.request(method, post, token)).await;
        self.0.latencies.add(began.elapsed());
        answer
    }

    fn request(&self, method: &Method, post: &Post<'_>, token: Option<&Token>) -> RequestBuilder {
        let mut request = self
            .0
            .http
            .request(method.clone(), self.0.server.at(post.path))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(post.body.clone());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(key) = post.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(wait_s) = post.wait_s {
            request = request.header(PREFER, format!("wait={wait_s}"));
        }
        request
    }
}

/// Sends a request and reads the answer to its end.
async fn whole(request: RequestBuilder) -> Result<Raw, String> {
    let broken = |error: reqwest::Error| {
        if error.is_timeout() {
            "the server does not answer in time".to_owned()
        } else {
            format!("the server cannot be reached: {}", innermost(&error))
        }
    };
    let mut response = request.send().await.map_err(broken)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(format!("the answer is longer than {ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Raw {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.freeze(),
    })
}

fn request_line(method: &Method, post: &Post<'_>) -> String {
    format!("{method} {}", post.path)
}

fn read<T: DeserializeOwned>(request: &str, body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unreadable {
        request: request.to_owned(),
        why: printable(&error.to_string()),
    })
}

/// The cause that the system names, without the address that the outer ones repeat.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    printable(&cause.to_string())
}
