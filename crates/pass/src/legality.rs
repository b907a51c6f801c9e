//! What may remain.

use diag::{Diag, codes};

use crate::{Unit, computes_constants};

/// Which ops a unit may have: whole dialects, single ops besides, and exceptions from both.
///
/// ```
/// use pass::Legality;
/// static TENSOR: Legality = Legality::only(&["tensor"]).allow(&["aten.bernoulli"]).deny(&["tensor.size"]);
/// assert!(TENSOR.admits("tensor.add") && TENSOR.admits("aten.bernoulli"));
/// assert!(!TENSOR.admits("aten.add") && !TENSOR.admits("tensor.size"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Legality {
    /// `None` for every dialect.
    dialects: Option<&'static [&'static str]>,
    allowed: &'static [&'static str],
    denied: &'static [&'static str],
}

impl Legality {
    /// Every op.
    pub const ANY: Legality = Legality { dialects: None, allowed: &[], denied: &[] };

    /// The ops of these dialects.
    pub const fn only(dialects: &'static [&'static str]) -> Legality {
        Legality { dialects: Some(dialects), allowed: &[], denied: &[] }
    }

    /// These ops as well.
    #[must_use]
    pub const fn allow(self, ops: &'static [&'static str]) -> Legality {
        Legality { allowed: ops, ..self }
    }

    /// But not these ops.
    #[must_use]
    pub const fn deny(self, ops: &'static [&'static str]) -> Legality {
        Legality { denied: ops, ..self }
    }

    /// Whether an op of that name may remain.
    pub fn admits(&self, op: &str) -> bool {
        let dialect = op.split_once('.').map_or("", |it| it.0);
        let listed =
            self.dialects.is_none_or(|it| it.contains(&dialect)) || self.allowed.contains(&op);
        listed && !self.denied.contains(&op)
    }

    /// Whether all that `self` admits `other` admits too.
    pub fn is_within(&self, other: &Legality) -> bool {
        let dialects = match (self.dialects, other.dialects) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.iter().all(|it| b.contains(it)),
        };
        let allowed = self.allowed.iter().all(|it| !self.admits(it) || other.admits(it));
        let denied = other.denied.iter().all(|it| !self.admits(it));
        dialects && allowed && denied
    }

    /// One error per kind of op that may not remain, with how many there are and where the first
    /// is. A function that computes constants stays at the level where the
    /// interpreter runs it, so it is not asked.
    pub fn check(&self, unit: &Unit, promise: &str) -> Vec<Diag> {
        let mut found: Vec<(&'static str, usize, u32)> = Vec::new();
        for function in unit.functions.iter().filter(|it| !computes_constants(it)) {
            function.body.for_each_op(&mut |op| {
                let name = op.def.0.name;
                if self.admits(name) {
                    return;
                }
                match found.iter_mut().find(|it| it.0 == name) {
                    Some(it) => it.1 += 1,
                    None => found.push((name, 1, op.origin.0)),
                }
            });
        }
        found
            .into_iter()
            .map(|(name, count, origin)| {
                let times = if count == 1 { String::new() } else { format!(" ({count} times)") };
                Diag::error(&codes::LEGALITY, format!("{name} remains after {promise}{times}"))
                    .at(origin)
            })
            .collect()
    }
}

impl std::fmt::Display for Legality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.dialects {
            None => f.write_str("any op")?,
            Some(it) => f.write_str(&it.join(", "))?,
        }
        if !self.allowed.is_empty() {
            write!(f, ", and {}", self.allowed.join(", "))?;
        }
        if !self.denied.is_empty() {
            write!(f, ", without {}", self.denied.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_looks_at_every_part() {
        let tensor = Legality::only(&["tensor"]);
        let both = Legality::only(&["aten", "tensor"]);
        assert!(tensor.is_within(&both) && !both.is_within(&tensor));
        assert!(tensor.is_within(&Legality::ANY) && !Legality::ANY.is_within(&tensor));
        assert!(!tensor.allow(&["aten.add"]).is_within(&tensor));
        assert!(tensor.allow(&["aten.add"]).is_within(&both));
        assert!(!tensor.is_within(&tensor.deny(&["tensor.size"])));
        assert!(tensor.deny(&["tensor.size"]).is_within(&tensor));
        assert!(tensor.allow(&["aten.add"]).deny(&["aten.add"]).is_within(&tensor));
    }
}
