//! A server in a process of its own, as the bench sees it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use server::clock::{Clock, SystemClock};
use sha2::Sha256;

use crate::Problem;
use crate::connection::{Connection, get};
use crate::home::Database;
use crate::measured::{DATABASE_VARIABLE, HELD, HOLD, LISTENING, RELEASE, WRITERS_VARIABLE};
use crate::system::{cpu_seconds, resident_bytes};

/// What the servers of the bench sign tokens with.
const SECRET: &str = "the-bench-signs-with-this-and-nobody-else-does";
/// The setting that a server has it from.
pub(crate) const SECRET_VARIABLE: &str = "JWT_SECRET";
const DAY_SECONDS: i64 = 86_400;

/// A running server. Dropped, it is killed.
pub(crate) struct Served {
    child: Child,
    orders: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    /// An operator's.
    pub(crate) token: String,
    pub(crate) folder: PathBuf,
}

impl Served {
    /// With the baselines of the bench.
    pub(crate) fn measured(folder: &Path) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-for-measuring").arg("--data-dir").arg(folder);
        Self::start(command, folder)
    }

    /// The same over PostgreSQL, with so many writers.
    pub(crate) fn over(database: &Database, writers: usize, folder: &Path) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-for-measuring").arg("--data-dir").arg(folder);
        command.env(DATABASE_VARIABLE, database.dsn()?);
        command.env(WRITERS_VARIABLE, writers.to_string());
        Self::start(command, folder)
    }

    /// As it ships.
    pub(crate) fn shipped(binary: &Path, folder: &Path) -> Result<Self, Problem> {
        let mut command = Command::new(binary);
        command.args(["serve", "--port", "0", "--log-level", "warn", "--data-dir"]);
        command.arg(folder).env("RATE_LIMIT_PER_MINUTE", "0");
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: &Path) -> Result<Self, Problem> {
        let mut child = command
            .env(SECRET_VARIABLE, SECRET)
            // Where no file of settings lies.
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output of the server")?);
        let address = loop {
            let mut line = String::new();
            if output.read_line(&mut line)? == 0 {
                return Err("the server ended before it listened".into());
            }
            if let Some(address) = line.trim().strip_prefix(LISTENING) {
                break address.parse()?;
            }
        };
        Ok(Self {
            orders: child.stdin.take(),
            child,
            output,
            address,
            token: token()?,
            folder: folder.to_owned(),
        })
    }

    /// Ends it in an orderly way: its folder can be opened then.
    pub(crate) fn stop(mut self) -> Result<(), Problem> {
        self.orders = None;
        let ended = self.child.wait()?;
        ended
            .success()
            .then_some(())
            .ok_or_else(|| format!("the server ended with {ended}").into())
    }

    /// Has the writer stand still; it does when this is done.
    pub(crate) fn hold(&mut self) -> Result<(), Problem> {
        self.order(HOLD)?;
        let mut said = String::new();
        self.output.read_line(&mut said)?;
        match said.trim() {
            HELD => Ok(()),
            other => Err(format!("the server said {other:?} where it should be held").into()),
        }
    }

    /// Has the writer go on.
    pub(crate) fn release(&mut self) -> Result<(), Problem> {
        self.order(RELEASE)
    }

    fn order(&mut self, order: &str) -> Result<(), Problem> {
        let orders = self.orders.as_mut().ok_or("the server takes no orders")?;
        Ok(writeln!(orders, "{order}")?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Problem> {
        cpu_seconds(self.pid())
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64, Problem> {
        resident_bytes(self.pid())
    }

    /// Fails if any event was decided against or repeated: the load would not be what it is meant to be.
    pub(crate) async fn must_have_applied_all(&self) -> Result<(), Problem> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.ask(&get("/metrics", &self.token)).await?;
        answer.must_be(200)?;
        let text = std::str::from_utf8(answer.body)?;
        for counter in ["events_rejected_total", "events_duplicate_total"] {
            let mut lines = text.lines();
            let count = lines.find_map(|line| line.strip_prefix(counter)?.strip_prefix(' '));
            if count != Some("0") {
                return Err(format!("{counter} is {count:?} and must be 0").into());
            }
        }
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A token of an operator.
fn token() -> Result<String, Problem> {
    signed(r#""sub":"bench","role":"operator","jti":"bench""#)
}

/// A token of a client's own.
pub(crate) fn client_token(client: &str) -> Result<String, Problem> {
    signed(&format!(
        r#""sub":"of_{client}","role":"client","client_id":"{client}","jti":"of_{client}""#
    ))
}

fn signed(who: &str) -> Result<String, Problem> {
    let now = SystemClock.now().as_nanos() / 1_000_000_000;
    let claims = format!(r#"{{{who},"iat":{now},"exp":{}}}"#, now + DAY_SECONDS);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Ok(format!("{signed}.{signature}"))
}
