//! A transaction over accounts, on a writer's session. On all nodes together there is one at a time.

use model::time::Timestamp;

use super::session::Session;
use super::writer::PostgresWriter;
use super::{api_keys, audit, clock, receipts, users};
use crate::accounts::{Accounts, ApiKey, AuditRecord, Taken, User, UserRef};
use crate::error::{Error, Trouble};
use crate::records::StoredAnswer;

pub(super) struct PostgresAccounts<'a> {
    writer: &'a mut PostgresWriter,
    /// A statement failed, which ended the transaction.
    has_failed: bool,
}

impl<'a> PostgresAccounts<'a> {
    /// The transaction has begun.
    pub(super) const fn new(writer: &'a mut PostgresWriter) -> Self {
        Self {
            writer,
            has_failed: false,
        }
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.check()?;
        work(&mut self.writer.claimed.session).inspect_err(|_| self.has_failed = true)
    }

    fn check(&self) -> Result<(), Error> {
        if self.has_failed {
            return Err(Error::Unavailable {
                trouble: Trouble::Failed,
                detail: "an earlier failure ended the transaction".to_owned(),
            });
        }
        Ok(())
    }
}

impl Drop for PostgresAccounts<'_> {
    fn drop(&mut self) {
        self.writer.roll_back();
    }
}

impl Accounts for PostgresAccounts<'_> {
    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error> {
        self.with(|session| users::find(session, user))
    }

    fn insert_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error> {
        self.with(|session| users::insert(session, user))
    }

    fn update_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error> {
        self.with(|session| users::update(session, user))
    }

    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), Error> {
        self.with(|session| api_keys::insert(session, key))
    }

    fn api_key(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error> {
        self.with(|session| api_keys::by_id(session, key_id))
    }

    fn revoke_api_key(&mut self, key_id: &str, at: Timestamp) -> Result<(), Error> {
        self.with(|session| api_keys::revoke(session, key_id, at))
    }

    fn revoke_token(&mut self, token_id: &str, expires_at: Timestamp) -> Result<(), Error> {
        self.with(|session| api_keys::revoke_token(session, token_id, expires_at))
    }

    fn use_up(&mut self, id: &str, expires_at: Timestamp) -> Result<bool, Error> {
        self.with(|session| api_keys::use_up(session, id, expires_at))
    }

    fn append_audit(&mut self, record: &AuditRecord) -> Result<(), Error> {
        self.with(|session| audit::append(session, record))
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error> {
        self.with(|session| receipts::answer(session, key))
    }

    fn store_answer(&mut self, answer: &StoredAnswer) -> Result<(), Error> {
        self.with(|session| receipts::store_answer(session, answer))
    }

    fn shared_time(&mut self) -> Result<Option<Timestamp>, Error> {
        self.with(clock::now).map(Some)
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        self.check()?;
        self.writer.claimed.session.batch("COMMIT")?;
        self.writer.in_transaction = false;
        Ok(())
    }
}
