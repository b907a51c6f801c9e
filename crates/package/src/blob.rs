//! A model library on disk: the ELF file, and the constants behind it.
//!
//! `[ELF][zeros to a page][blob][trailer]`, where the trailer is the blob's
//! offset and size (little-endian u64 each) and sixteen bytes of magic. A
//! library without constants is the ELF file alone.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::Error;

/// The blob starts at a multiple of this in its file, each constant at a multiple of 64 in it.
pub const BLOB_ALIGNMENT: u64 = 4096;

/// Bytes of the trailer.
pub const TRAILER_LEN: usize = 32;

const MAGIC: &[u8; 16] = b"TINTYPE-BLOB-v1\0";
const CONSTANT_ALIGNMENT: u64 = 64;
static ZEROS: [u8; BLOB_ALIGNMENT as usize] = [0; BLOB_ALIGNMENT as usize];

/// The bytes of all constants, in order, borrowed where they can be.
#[derive(Clone, Debug, Default)]
pub struct Blob<'a> {
    segments: Vec<Cow<'a, [u8]>>,
    size: u64,
}

impl<'a> Blob<'a> {
    /// Appends a constant's storage; the result is its offset, a multiple of 64.
    ///
    /// The storage counts as padded to the next multiple of 64.
    pub fn push(&mut self, bytes: impl Into<Cow<'a, [u8]>>) -> u64 {
        let bytes = bytes.into();
        let offset = self.size;
        self.size += (bytes.len() as u64).next_multiple_of(CONSTANT_ALIGNMENT);
        self.segments.push(bytes);
        offset
    }

    /// Bytes in all, with the padding.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The blob by itself.
    pub fn write_to(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        for segment in &self.segments {
            let len = segment.len() as u64;
            out.write_all(segment)?;
            write_zeros(out, len.next_multiple_of(CONSTANT_ALIGNMENT) - len)?;
        }
        Ok(())
    }
}

/// The size of a library with these constants.
pub(crate) fn library_size(elf: &[u8], blob: &Blob<'_>) -> u64 {
    let elf_size = elf.len() as u64;
    if blob.size == 0 {
        return elf_size;
    }
    elf_size.next_multiple_of(BLOB_ALIGNMENT) + blob.size + TRAILER_LEN as u64
}

/// Writes a library with its constants behind it.
pub(crate) fn write_parts(
    out: &mut (impl Write + ?Sized),
    elf: &[u8],
    blob: &Blob<'_>,
) -> io::Result<()> {
    out.write_all(elf)?;
    if blob.size == 0 {
        return Ok(());
    }
    let elf_size = elf.len() as u64;
    let offset = elf_size.next_multiple_of(BLOB_ALIGNMENT);
    write_zeros(out, offset - elf_size)?;
    blob.write_to(out)?;
    out.write_all(&offset.to_le_bytes())?;
    out.write_all(&blob.size.to_le_bytes())?;
    out.write_all(MAGIC)
}

fn write_zeros(out: &mut (impl Write + ?Sized), n_bytes: u64) -> io::Result<()> {
    // Never more than a page: it is padding.
    out.write_all(&ZEROS[..n_bytes as usize])
}

/// Where the parts of a library are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryParts {
    /// The ELF file is the first so many bytes.
    pub elf_size: u64,
    /// Offset and size of the blob, if there is one.
    pub blob: Option<(u64, u64)>,
}

/// Finds the parts of a library of `size` bytes by its last bytes, at most [`TRAILER_LEN`].
pub fn library_parts(size: u64, last_bytes: &[u8]) -> Result<LibraryParts, Error> {
    let trailer = last_bytes.last_chunk::<TRAILER_LEN>();
    let Some(trailer) = trailer.filter(|it| it.ends_with(MAGIC)) else {
        return Ok(LibraryParts { elf_size: size, blob: None });
    };
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&trailer[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let (offset, blob_size) = (number(0), number(8));
    let fits = offset
        .checked_add(blob_size)
        .and_then(|end| end.checked_add(TRAILER_LEN as u64))
        .is_some_and(|end| end == size);
    if !fits || !offset.is_multiple_of(BLOB_ALIGNMENT) {
        return Err(Error::Library {
            reason: format!(
                "its constants are said to be {blob_size} bytes at {offset}, which does not fit \
                 its {size} bytes"
            ),
        });
    }
    Ok(LibraryParts { elf_size: offset, blob: Some((offset, blob_size)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(elf: &[u8], blob: &Blob<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_parts(&mut bytes, elf, blob).unwrap();
        assert_eq!(bytes.len() as u64, library_size(elf, blob));
        bytes
    }

    #[test]
    fn constants_lie_at_multiples_of_64() {
        let mut blob = Blob::default();
        assert_eq!(blob.push(&[1; 3][..]), 0);
        assert_eq!(blob.push(vec![2; 65]), 64);
        assert_eq!(blob.push(&[][..]), 192);
        assert_eq!(blob.push(&[3; 64][..]), 192);
        assert_eq!(blob.size(), 256);
        let mut bytes = Vec::new();
        blob.write_to(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 256);
        assert_eq!((bytes[2], bytes[3], bytes[64], bytes[128], bytes[192]), (1, 0, 2, 2, 3));
    }

    #[test]
    fn parts_are_found_again() {
        let mut blob = Blob::default();
        blob.push(vec![7; 100]);
        let bytes = library(&[1; 5000], &blob);
        let parts = library_parts(bytes.len() as u64, &bytes).unwrap();
        assert_eq!(parts, LibraryParts { elf_size: 8192, blob: Some((8192, 128)) });
        assert!(bytes[8192..8292].iter().all(|&it| it == 7));

        let plain = library(&[1; 5000], &Blob::default());
        let parts = library_parts(plain.len() as u64, &plain).unwrap();
        assert_eq!(parts, LibraryParts { elf_size: 5000, blob: None });
    }

    #[test]
    fn a_trailer_that_does_not_fit_is_refused() {
        let mut blob = Blob::default();
        blob.push(vec![7; 100]);
        let bytes = library(&[1; 100], &blob);
        let size = bytes.len() as u64;
        assert!(library_parts(size - 1, &bytes).is_err());
        for at in [0, 8, 15] {
            let mut bad = bytes.clone();
            let len = bad.len();
            bad[len - TRAILER_LEN + at] ^= 0x81;
            assert!(library_parts(size, &bad).is_err(), "{at}");
        }
        let parts = library_parts(3, &[1, 2, 3]).unwrap();
        assert_eq!(parts, LibraryParts { elf_size: 3, blob: None });
    }
}
