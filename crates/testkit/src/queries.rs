//! Which queries ran.

use std::sync::{Arc, Mutex};

/// Collects the names of queries as a database executes them.
#[derive(Clone, Default)]
pub struct QueryLog {
    names: Arc<Mutex<Vec<String>>>,
}

impl QueryLog {
    /// What the database is to call with the name of each query it executes.
    pub fn sink(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let names = Arc::clone(&self.names);
        move |name| names.lock().expect("no test panics while it logs").push(name.to_owned())
    }

    /// The queries that `f` made the database execute, in order.
    pub fn executed(&self, f: impl FnOnce()) -> Vec<String> {
        let names = || self.names.lock().expect("no test panics while it logs");
        names().clear();
        f();
        std::mem::take(&mut *names())
    }
}
