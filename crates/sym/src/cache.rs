//! What has been found out under some facts, kept beside them.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::{
    expr::Expr,
    facts::Facts,
    witness::{self, Witness},
};

/// How many results are kept; at that number all are dropped.
const CAPACITY: usize = 1 << 10;

/// No part of what the facts are: all caches are equal. Clones of the facts share one, so it may
/// hold nothing that depends on more than the facts.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Found>);

#[derive(Default)]
struct Found {
    witnesses: OnceLock<Vec<Witness>>,
    simplified: Mutex<IndexMap<Expr, Expr, FxBuildHasher>>,
}

impl PartialEq for Cache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Cache {}

impl Hash for Cache {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl Cache {
    pub(crate) fn witnesses(&self, facts: &Facts) -> &[Witness] {
        self.0.witnesses.get_or_init(|| witness::find(facts))
    }

    /// The result for an expression, computed unless it is known. Two threads may both compute it;
    /// they find the same.
    pub(crate) fn simplified(&self, expr: &Expr, compute: impl FnOnce() -> Expr) -> Expr {
        let lock = || self.0.simplified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(expr) {
            return known.clone();
        }
        let result = compute();
        let mut known = lock();
        if CAPACITY <= known.len() {
            known.clear();
        }
        // What cannot be simplified further is looked up as often as what was.
        known.insert(result.clone(), result.clone());
        known.insert(expr.clone(), result.clone());
        result
    }
}
