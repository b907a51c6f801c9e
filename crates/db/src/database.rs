//! The database.

use std::sync::{Arc, Mutex, PoisonError};

use salsa::{DatabaseKeyIndex, EventKind};

/// What queries ask.
#[salsa::db]
pub trait Db: salsa::Database {}

/// Keeps inputs and what was computed from them.
#[salsa::db]
#[derive(Clone, Default)]
pub struct Database {
    storage: salsa::Storage<Self>,
    log: Option<Arc<Mutex<Vec<DatabaseKeyIndex>>>>,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {}

impl Database {
    /// A database that notes which queries it executes, for [`Database::executed`].
    pub fn logging() -> Database {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        let storage = salsa::Storage::new(Some(Box::new(move |event| {
            if let EventKind::WillExecute { database_key } = event.kind {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(database_key);
            }
        })));
        Database { storage, log: Some(log) }
    }

    /// The names of the queries that `f` made this database execute, in order; those that were
    /// answered from memory are not among them. None unless the database is a logging one.
    pub fn executed(&self, f: impl FnOnce(&Database)) -> Vec<String> {
        use salsa::Database as _;

        let take = || match &self.log {
            Some(it) => std::mem::take(&mut *it.lock().unwrap_or_else(PoisonError::into_inner)),
            None => Vec::new(),
        };
        drop(take());
        f(self);
        let name = |it: DatabaseKeyIndex| self.ingredient_debug_name(it.ingredient_index());
        take().into_iter().map(|it| name(it).into_owned()).collect()
    }
}
