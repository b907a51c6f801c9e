//! Content hashes.

use std::fmt;

use sha2::Digest as _;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Hashes a sequence of fields, each with its length, so that no two sequences
/// of different fields are the same bytes.
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    /// `domain` keeps the keys of different things apart; the version is that of the cache.
    pub(crate) fn new(domain: &str) -> Hasher {
        let mut hasher = Hasher(sha2::Sha256::new());
        hasher.add("tintype-cache-1");
        hasher.add(domain);
        hasher
    }

    pub(crate) fn add(&mut self, field: impl AsRef<[u8]>) {
        let field = field.as_ref();
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    pub(crate) fn add_all<T: AsRef<[u8]>>(&mut self, fields: &[T]) {
        self.0.update((fields.len() as u64).to_le_bytes());
        for field in fields {
            self.add(field);
        }
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}
