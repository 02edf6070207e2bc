//! A transaction over accounts, on the writer's connection: it and groups come one after the other.

use model::time::Timestamp;
use rusqlite::Connection;

use super::core::Core;
use super::{api_keys, audit, receipts, users};
use crate::accounts::{Accounts, ApiKey, AuditRecord, Taken, User, UserRef};
use crate::error::{Error, Trouble};
use crate::records::StoredAnswer;

pub(super) struct SqliteAccounts<'a> {
    core: &'a Core,
}

impl<'a> SqliteAccounts<'a> {
    /// The transaction has begun.
    pub(super) const fn new(core: &'a Core) -> Self {
        Self { core }
    }

    /// The connection, while it is in the transaction. Some failures end it, a full disk for one: a statement after that would be
    /// durable by itself.
    fn connection(&self) -> Result<&'a Connection, Error> {
        if self.core.connection.is_autocommit() {
            return Err(Error::Unavailable {
                trouble: Trouble::Failed,
                detail: "an earlier failure ended the transaction".to_owned(),
            });
        }
        Ok(&self.core.connection)
    }
}

impl Drop for SqliteAccounts<'_> {
    fn drop(&mut self) {
        self.core.roll_back();
    }
}

impl Accounts for SqliteAccounts<'_> {
    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error> {
        users::find(self.connection()?, user)
    }

    fn insert_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error> {
        users::insert(self.connection()?, user)
    }

    fn update_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error> {
        users::update(self.connection()?, user)
    }

    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), Error> {
        api_keys::insert(self.connection()?, key)
    }

    fn api_key(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error> {
        api_keys::by_id(self.connection()?, key_id)
    }

    fn revoke_api_key(&mut self, key_id: &str, at: Timestamp) -> Result<(), Error> {
        api_keys::revoke(self.connection()?, key_id, at)
    }

    fn revoke_token(&mut self, token_id: &str, expires_at: Timestamp) -> Result<(), Error> {
        api_keys::revoke_token(self.connection()?, token_id, expires_at)
    }

    fn use_up(&mut self, id: &str, expires_at: Timestamp) -> Result<bool, Error> {
        api_keys::use_up(self.connection()?, id, expires_at)
    }

    fn append_audit(&mut self, record: &AuditRecord) -> Result<(), Error> {
        audit::append(self.connection()?, record)
    }

    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error> {
        receipts::answer(self.connection()?, key)
    }

    fn store_answer(&mut self, answer: &StoredAnswer) -> Result<(), Error> {
        receipts::store_answer(self.connection()?, answer)
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        self.connection()?.execute_batch("COMMIT")?;
        self.core.checkpointer.wrote();
        Ok(())
    }
}
