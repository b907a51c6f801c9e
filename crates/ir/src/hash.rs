//! Content hashes: the identity of what is cached.

use sha2::{Digest, Sha256};

/// The SHA-256 of `parts`, each with its length before it, in hexadecimal.
pub fn content_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|it| format!("{it:02x}")).collect()
}
