//! Who may ask: users, keys, what was revoked, and the trail of every change to them.

use model::role::Role;
use model::time::Timestamp;

use crate::error::Error;
use crate::records::StoredAnswer;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The public id.
    pub user_id: Box<str>,
    /// What it signs in with, and the `sub` of its tokens. Unique.
    pub username: Box<str>,
    /// Unique; kept in lower case.
    pub email: Box<str>,
    /// The name to be shown.
    pub name: Box<str>,
    /// In PHC string format.
    pub password_hash: Box<str>,
    /// What it may do.
    pub role: Role,
    /// The client it belongs to.
    pub client: Option<Box<str>>,
    /// Shut out.
    pub disabled: bool,
    /// Tokens issued earlier are void.
    pub sessions_valid_from: Timestamp,
    /// The id of the one token that is not, however early it was issued.
    pub kept_token: Option<Box<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Rises by one with every change, from 1.
    pub version: u32,
}

/// How a user is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRef<'a> {
    /// By its public id.
    Id(&'a str),
    /// By its username.
    Username(&'a str),
    /// By whatever it signs in with: a username, or an e-mail address in whatever case.
    Login(&'a str),
}

/// Why a user was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Another has the username.
    Username,
    /// Another has the e-mail address.
    Email,
}

/// A key for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The public id.
    pub key_id: Box<str>,
    /// What it is for.
    pub name: Box<str>,
    /// What it may do.
    pub role: Role,
    /// The client it belongs to.
    pub client: Option<Box<str>>,
    /// SHA-256 of the key. Unique.
    pub secret_hash: [u8; 32],
    /// The username of who made it.
    pub created_by: Box<str>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Void from then on.
    pub expires_at: Option<Timestamp>,
    /// Void since then.
    pub revoked_at: Option<Timestamp>,
}

/// One change to users, keys or the like. Never changed, never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Rises with every record; the store gives it.
    pub audit_id: i64,
    /// When.
    pub at: Timestamp,
    /// Who did it: a username, `key:{id}`, or `system`.
    pub actor: Box<str>,
    /// As what.
    pub role: Role,
    /// What was done, such as `user.create`.
    pub action: Box<str>,
    /// To what kind of thing.
    pub entity_type: Box<str>,
    /// To which.
    pub entity_id: Box<str>,
    /// What it was, as JSON without secrets.
    pub before: Option<Box<str>>,
    /// What it is, as JSON without secrets.
    pub after: Option<Box<str>>,
    /// From where, if over the network.
    pub ip: Option<Box<str>>,
    /// By which request, if by one.
    pub request_id: Option<Box<str>>,
}

/// A transaction over accounts. Dropped without commit, it leaves nothing.
pub trait Accounts {
    /// A user.
    ///
    /// # Errors
    /// Here and below: whatever the database gives.
    fn user(&mut self, user: UserRef<'_>) -> Result<Option<User>, Error>;

    /// Stores a new user.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn insert_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error>;

    /// Stores what a user, found by its id, has become.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn update_user(&mut self, user: &User) -> Result<Result<(), Taken>, Error>;

    /// Stores a new key.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), Error>;

    /// A key by its id.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn api_key(&mut self, key_id: &str) -> Result<Option<ApiKey>, Error>;

    /// Voids a key; of one that is void already the first time stays.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn revoke_api_key(&mut self, key_id: &str, at: Timestamp) -> Result<(), Error>;

    /// Voids one token until it would have expired anyway. Again is no error.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn revoke_token(&mut self, token_id: &str, expires_at: Timestamp) -> Result<(), Error>;

    /// Uses up something that counts once, by its id, which is none of a token: false if that was done before. It is known until
    /// `expires_at`, and somewhat longer.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn use_up(&mut self, id: &str, expires_at: Timestamp) -> Result<bool, Error>;

    /// Adds to the trail; the record's own id is not used.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn append_audit(&mut self, record: &AuditRecord) -> Result<(), Error>;

    /// The answer stored under an idempotency key.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn answer(&mut self, key: &[u8; 32]) -> Result<Option<StoredAnswer>, Error>;

    /// Stores an answer, in the place of an older one under the same key.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn store_answer(&mut self, answer: &StoredAnswer) -> Result<(), Error>;

    /// Now, by the clock that all nodes share; `None` where the one node's own is that.
    ///
    /// # Errors
    /// As [`Accounts::user`].
    fn shared_time(&mut self) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// As a group's commit, but for [`Error::OutcomeUnknown`]: what is done here may be done again.
    fn commit(self: Box<Self>) -> Result<(), Error>;
}
