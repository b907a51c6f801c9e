//! Bytes of an archive: a range of what the caller mapped, or a buffer made by inflating.

use std::{fmt, ops::Deref, ops::Range, sync::Arc};

/// A run of bytes that is cheap to clone and to narrow.
#[derive(Clone)]
pub struct Bytes<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Mapped { bytes: &'a [u8], at: usize },
    Inflated { buffer: Arc<Vec<u8>>, range: Range<usize> },
}

impl<'a> Bytes<'a> {
    /// The whole file, as the caller mapped it.
    pub fn mapped(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes(Source::Mapped { bytes, at: 0 })
    }

    pub(crate) fn inflated(buffer: Vec<u8>) -> Bytes<'a> {
        let range = 0..buffer.len();
        Bytes(Source::Inflated { buffer: Arc::new(buffer), range })
    }

    /// A part of these bytes, without a copy; `None` where it reaches past the end.
    pub fn slice(&self, part: Range<usize>) -> Option<Bytes<'a>> {
        match &self.0 {
            Source::Mapped { bytes, at } => {
                let start = at.checked_add(part.start)?;
                Some(Bytes(Source::Mapped { bytes: bytes.get(part)?, at: start }))
            }
            Source::Inflated { buffer, range } => {
                let start = range.start.checked_add(part.start)?;
                let end = range.start.checked_add(part.end)?;
                if end < start || range.end < end {
                    return None;
                }
                Some(Bytes(Source::Inflated { buffer: Arc::clone(buffer), range: start..end }))
            }
        }
    }

    /// Where in the file these bytes lie; `None` for inflated ones.
    pub fn file_range(&self) -> Option<Range<usize>> {
        match &self.0 {
            Source::Mapped { bytes, at } => Some(*at..at.saturating_add(bytes.len())),
            Source::Inflated { .. } => None,
        }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Mapped { bytes, .. } => bytes,
            Source::Inflated { buffer, range } => buffer.get(range.clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Bytes<'_> {
    /// Where the bytes are and how many: their values would drown everything around them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file_range() {
            Some(range) => write!(f, "Bytes(file {range:?})"),
            None => write!(f, "Bytes(inflated, {} bytes)", self.len()),
        }
    }
}

/// `N` bytes from `at` on.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_their_place_and_never_reach_out() {
        let file = [0u8, 1, 2, 3, 4, 5];
        for (bytes, mapped) in
            [(Bytes::mapped(&file), true), (Bytes::inflated(file.to_vec()), false)]
        {
            let middle = bytes.slice(1..5).unwrap();
            let inner = middle.slice(2..4).unwrap();
            assert_eq!(*inner, [3, 4]);
            assert_eq!(inner.file_range(), mapped.then_some(3..5));
            assert!(middle.slice(2..5).is_none());
            assert!(middle.slice(usize::MAX - 1..usize::MAX).is_none());
            #[expect(clippy::reversed_empty_ranges, reason = "what a hostile header may ask for")]
            let reversed = middle.slice(3..2);
            assert!(reversed.is_none());
        }
    }
}
