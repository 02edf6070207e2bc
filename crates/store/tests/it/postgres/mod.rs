//! What only the store over PostgreSQL promises: several writers, on several nodes, over one database.

mod archive;
mod bounds;
mod cancelled;
mod crashes;
mod damage;
mod expiry;
mod news;
mod opening;
mod plans;
mod positions;
pub(crate) mod proxy;
mod refusals;
mod replica;
mod server;
mod sessions;
mod tls;
mod writers;

use model::command::OrderRef;
use store::{Committed, Error, Store, Writer};

use crate::orders::{Rules, Wish, named};

/// A writer among several, with its own idea of what time it is.
pub(super) struct Peer {
    pub(super) writer: Box<dyn Writer>,
    pub(super) rules: Rules,
}

impl Peer {
    pub(super) fn of(store: &dyn Store) -> Self {
        Self {
            rules: Rules::of(store),
            writer: store.writer().unwrap(),
        }
    }

    /// A group as the engine makes one: all orders that are named are loaded at once.
    pub(super) fn write(&mut self, names: &[String], wishes: &[Wish]) -> Result<Committed, Error> {
        let named: Vec<OrderRef> = names.iter().map(|name| named(name)).collect();
        let commit = self.writer.next_commit()?;
        let mut group = self.writer.begin()?;
        group.load(&named.iter().collect::<Vec<_>>())?;
        let writes = self.rules.judge(&mut *group, wishes);
        group.commit(commit, self.rules.now, writes)
    }
}
