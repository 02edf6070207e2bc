//! One connection, and waiting for what it answers.
//!
//! Statements are prepared once. Several can be sent at once, in order, for one round trip. Every wait has an end: a server
//! that does not answer in time costs the connection, never the thread.

use std::collections::HashMap;
use std::future::{Future, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::task::AbortHandle;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::convert::is_fatal;
use super::driver::{ConnectError, Driver, wait};
use super::news::Bell;
use crate::error::{Error, Trouble};

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement to be sent with others.
pub(super) struct Step<'a> {
    sql: &'static str,
    params: Vec<Param<'a>>,
}

impl<'a> Step<'a> {
    pub(super) fn new(sql: &'static str, params: &[Param<'a>]) -> Self {
        Self {
            sql,
            params: params.to_vec(),
        }
    }
}

pub(super) struct Session {
    client: Arc<Client>,
    connection: AbortHandle,
    _driver: Arc<Driver>,
    statements: HashMap<&'static str, Statement, RandomState>,
    patience: Duration,
    /// What the server cancels is a read that took too long.
    is_reading: bool,
    is_broken: bool,
    has_answered: bool,
    /// What was sent and is not answered yet. What comes behind it counts only if all of it went well.
    unwaited: Vec<Sent>,
}

/// A statement that is on its way.
type Sent = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

impl Session {
    /// Logs in. `patience` is how long that may take, and how long each later answer is waited for.
    pub(super) fn open(
        driver: &Arc<Driver>,
        server: (Config, MakeRustlsConnect),
        patience: Duration,
        bell: Option<Arc<Bell>>,
    ) -> Result<Self, ConnectError> {
        let (client, connection) = driver.connect(server, patience, bell)?;
        Ok(Self {
            client: Arc::new(client),
            connection,
            _driver: driver.clone(),
            statements: HashMap::default(),
            patience,
            is_reading: false,
            is_broken: false,
            has_answered: false,
            unwaited: Vec::new(),
        })
    }

    /// Whether it can't be used any more: what its last statement did is not known.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Gives it up.
    pub(super) const fn set_broken(&mut self) {
        self.is_broken = true;
    }

    /// Reads only, and each within its bound.
    pub(super) const fn set_reading(&mut self) {
        self.is_reading = true;
    }

    /// How long each answer is waited for from now on.
    pub(super) const fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Begins a transaction without waiting for it. The next statement tells if it could not be begun, and the session is given up
    /// then.
    pub(super) fn begin_unwaited(&mut self, sql: &'static str) {
        self.has_answered = false;
        self.send(sql);
    }

    /// Ends a transaction that has changed nothing, without waiting for it: if it fails, the next one is told.
    pub(super) fn end_unwaited(&mut self) {
        self.send("COMMIT");
    }

    fn send(&mut self, sql: &'static str) {
        let client = self.client.clone();
        let mut sent: Sent = Box::pin(async move { client.batch_execute(sql).await });
        // It is on its way with the first poll.
        match sent.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.unwaited.push(sent),
            Poll::Ready(answer) => self.unwaited.push(Box::pin(ready(answer))),
        }
    }

    /// Whether anything was answered since [`Session::begin_unwaited`].
    pub(super) const fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Statements without parameters, separated by semicolons.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        let client = self.client.clone();
        self.wait_for(client.batch_execute(sql))
    }

    /// The rows of a statement.
    pub(super) fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql)?;
        let client = self.client.clone();
        self.wait_for(client.query(&statement, params))
    }

    /// The first row of a statement, if it has one.
    pub(super) fn first(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(super) fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        let statement = self.prepare(sql)?;
        let client = self.client.clone();
        self.wait_for(client.execute(&statement, params))
    }

    /// Sends statements one behind the other without waiting in between; gives the rows of each. After one that fails those
    /// behind it have no effect, as they are in the same transaction: the error is the first one's.
    pub(super) fn pipeline(&mut self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Error> {
        let mut statements = Vec::with_capacity(steps.len());
        for step in steps {
            statements.push(self.prepare(step.sql)?);
        }
        let client = self.client.clone();
        let answers = steps
            .iter()
            .zip(&statements)
            .map(|(step, statement)| -> Waiting<'_, _> { Box::pin(client.query(statement, &step.params)) });
        self.wait_for(in_order(answers.collect()))
    }

    /// Rows for a `COPY … FROM STDIN (FORMAT binary)`. Gives how many were taken.
    pub(super) fn copy_in<'r>(
        &mut self,
        sql: &str,
        types: &[Type],
        rows: impl Iterator<Item = Vec<Param<'r>>>,
    ) -> Result<u64, Error> {
        let client = self.client.clone();
        self.wait_for(async {
            let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(sql).await?, types));
            for row in rows {
                writer.as_mut().write(&row).await?;
            }
            writer.finish().await
        })
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let client = self.client.clone();
        let statement = self.wait_for(client.prepare(sql))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Waits for an answer, and for those to what was sent before it.
    fn wait_for<T>(
        &mut self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let unwaited = std::mem::take(&mut self.unwaited);
        let done = match wait(behind(unwaited, answer), self.patience) {
            Some((Ok(()), answer)) => answer.map_err(Failed::Said),
            Some((Err(error), _)) => {
                // Nobody knows what transaction it is in, if any.
                self.is_broken = true;
                Err(Failed::Said(error))
            }
            None => Err(Failed::Silent),
        };
        self.noting(done)
    }

    fn noting<T>(&mut self, done: Result<T, Failed>) -> Result<T, Error> {
        self.has_answered |= done.is_ok();
        done.map_err(|failed| match failed {
            Failed::Said(error) => {
                self.is_broken |= is_fatal(&error);
                match Error::from(error) {
                    Error::ReadTooLong if !self.is_reading => Error::Unavailable {
                        trouble: Trouble::Busy,
                        detail: "the server cancelled a statement that took too long".to_owned(),
                    },
                    error => error,
                }
            }
            Failed::Silent => {
                self.is_broken = true;
                Error::Unavailable {
                    trouble: Trouble::Io,
                    detail: format!("the server gave no answer for {} s", self.patience.as_secs()),
                }
            }
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // One that is whole says goodbye by itself. One that is not would wait for its answer first.
        if self.is_broken {
            self.connection.abort();
        }
    }
}

enum Failed {
    Said(tokio_postgres::Error),
    Silent,
}

/// What became of what was sent before, and of an answer.
async fn behind<T>(
    mut unwaited: Vec<Sent>,
    answer: impl Future<Output = T>,
) -> (Result<(), tokio_postgres::Error>, T) {
    let mut answer = pin!(answer);
    let (mut before, mut came) = (Ok(()), None);
    poll_fn(|context| {
        unwaited.retain_mut(|sent| match sent.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                if before.is_ok() {
                    before = answer;
                }
                false
            }
        });
        if came.is_none()
            && let Poll::Ready(answer) = answer.as_mut().poll(context)
        {
            came = Some(answer);
        }
        match came.take() {
            Some(answer) if unwaited.is_empty() => {
                Poll::Ready((std::mem::replace(&mut before, Ok(())), answer))
            }
            not_yet => {
                came = not_yet;
                Poll::Pending
            }
        }
    })
    .await
}

/// An answer that is waited for.
type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + 'a>>;

/// Answers to statements that are sent in their order: each is sent when it is first polled.
async fn in_order<T>(mut waiting: Vec<Waiting<'_, T>>) -> Result<Vec<T>, tokio_postgres::Error> {
    let mut answers: Vec<Option<_>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, waiting) in answers.iter_mut().zip(&mut waiting) {
            if answer.is_none()
                && let Poll::Ready(came) = waiting.as_mut().poll(context)
            {
                *answer = Some(came);
            }
        }
        if answers.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
