//! Zip archives, read in place.
//!
//! What is checked once, when an archive is opened, so that no later read has to:
//! - the directory lies in the file, and every entry in the directory;
//! - names are plain relative paths, and each is there once;
//! - members are stored or deflated, and not encrypted;
//! - members lie in the file, before the directory, and none shares a byte with another
//!   (which also bounds the work of reading all of them by the size of the file);
//! - a deflated member claims no more than its bytes can inflate to, and all of them together
//!   no more than [`Zip::INFLATED_LIMIT`].
//!
//! Checksums are not: PyTorch can be told to write none, and weights are too many bytes to read
//! twice. A flipped bit in a graph shows up as JSON that does not parse or fit.
//!
//! This is a reader of its own, and not the zip crate's, because that one keeps the last of two
//! members with one name and does not look for overlaps.

use std::{
    fs::File,
    io::{self, Read},
    ops::{Deref, Range},
    path::Path,
};

use indexmap::IndexMap;

use crate::{
    Bytes, ImportError, MemberFault,
    bytes::{u16_at, u32_at, u64_at},
};

/// A file that is mapped and not read: weights cost memory only where they are touched.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file. It must not be truncated or written while this lives.
    pub fn open(path: &Path) -> io::Result<Mapped> {
        let file = File::open(path)?;
        // SAFETY: a map is unsound if the file changes under it. The documentation of this
        // function asks the caller to keep it, as every linker and loader does of its inputs.
        #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Mapped(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A zip archive whose directory has been read and checked.
#[derive(Clone, Debug)]
pub struct Zip<'a> {
    bytes: Bytes<'a>,
    /// The zip's own name: empty for the file, `outer.pt` for a zip that is a member.
    place: String,
    // Keyed by what the archive says, hence the standard library's seeded hasher: names can be
    // made to collide under a fixed one.
    members: IndexMap<String, Member>,
}

#[derive(Clone, Debug)]
struct Member {
    /// Where its local header starts.
    header: usize,
    data: Range<usize>,
    size: u64,
    deflated: bool,
}

/// One entry of the central directory.
struct Entry {
    name: String,
    flags: u16,
    method: u16,
    packed: u64,
    size: u64,
    header: u64,
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const END_LEN: usize = 22;
const LOCATOR64_LEN: usize = 20;
const CENTRAL_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
const FLAG_ENCRYPTED: u16 = 1;
/// No stream of deflate expands more than this.
const DEFLATE_RATIO: u64 = 1032;

impl<'a> Zip<'a> {
    /// How many bytes all deflated members of an archive may have together once inflated.
    pub const INFLATED_LIMIT: u64 = 2 << 30;

    /// Opens the zip that `bytes` are. `place` is its name in errors: empty for the file itself.
    pub fn open(bytes: Bytes<'a>, place: &str) -> Result<Zip<'a>, ImportError> {
        let directory = Directory::find(&bytes)
            .map_err(|reason| ImportError::Container { place: place.into(), reason })?;
        let mut zip = Zip { bytes, place: place.into(), members: IndexMap::new() };
        zip.read_directory(directory)?;
        zip.check_overlaps()?;
        Ok(zip)
    }

    /// The names of the members, in the directory's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The folder that PyTorch takes everything to be in: the first member's, with its slash.
    pub(crate) fn root(&self) -> &str {
        let first = self.members.keys().next().map_or("", String::as_str);
        first.split_inclusive('/').next().filter(|root| root.ends_with('/')).unwrap_or_default()
    }

    /// Whether there is such a member.
    pub fn contains(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// How errors name a member of this zip.
    pub fn place(&self, name: &str) -> String {
        if self.place.is_empty() { name.into() } else { format!("{}!{name}", self.place) }
    }

    /// The bytes of a member: in place where it is stored, inflated where not.
    pub fn read(&self, name: &str) -> Result<Bytes<'a>, ImportError> {
        let missing = || ImportError::MissingMember { member: self.place(name) };
        let member = self.members.get(name).ok_or_else(missing)?;
        let damaged = |what| self.fault(name, MemberFault::Damaged(what));
        let packed = self.bytes.slice(member.data.clone());
        let packed = packed.ok_or_else(|| damaged("its bytes are outside of the file"))?;
        if !member.deflated {
            return Ok(packed);
        }
        let mut inflated = Vec::new();
        // One more than it claims, to see if there is more.
        let mut reader = flate2::bufread::DeflateDecoder::new(&*packed).take(member.size + 1);
        reader.read_to_end(&mut inflated).map_err(|_| damaged("it does not inflate"))?;
        if inflated.len() as u64 != member.size {
            return Err(damaged("it inflates to another size than it says"));
        }
        Ok(Bytes::inflated(inflated))
    }

    fn fault(&self, name: &str, fault: MemberFault) -> ImportError {
        ImportError::member(self.place(name), fault)
    }

    fn read_directory(&mut self, directory: Directory) -> Result<(), ImportError> {
        let container = |place: &str, reason: &str| ImportError::Container {
            place: place.into(),
            reason: reason.into(),
        };
        let central = self.bytes.slice(directory.range.clone());
        let central = central
            .ok_or_else(|| container(&self.place, "its directory is outside of the file"))?;
        let mut at = 0;
        let mut inflated = 0u64;
        for _ in 0..directory.entries {
            let Some((entry, next)) = read_entry(&central, at) else {
                return Err(container(&self.place, "its directory is damaged"));
            };
            at = next;
            let entry = entry.map_err(|name| self.fault(&name, MemberFault::NotUtf8))?;
            // `zip -r` writes folders as members; they hold nothing.
            if entry.name.ends_with('/') && entry.size == 0 && is_plain(&entry.name) {
                continue;
            }
            let member = self.check_entry(&entry, directory.range.start)?;
            if member.deflated {
                inflated = inflated.saturating_add(member.size);
                let limit = Self::INFLATED_LIMIT;
                if limit < inflated {
                    let fault = MemberFault::TooLarge { size: member.size, limit };
                    return Err(self.fault(&entry.name, fault));
                }
            }
            if self.members.contains_key(&entry.name) {
                return Err(self.fault(&entry.name, MemberFault::Duplicate));
            }
            self.members.insert(entry.name, member);
        }
        Ok(())
    }

    /// Checks an entry and its local header; says where its data lies.
    fn check_entry(&self, entry: &Entry, directory: usize) -> Result<Member, ImportError> {
        let fault = |fault| Err(self.fault(&entry.name, fault));
        if !is_plain(&entry.name) {
            return fault(MemberFault::ClimbsOut);
        }
        if entry.flags & FLAG_ENCRYPTED != 0 {
            return fault(MemberFault::Encrypted);
        }
        let deflated = match entry.method {
            0 if entry.packed == entry.size => false,
            0 => return fault(MemberFault::Damaged("it is stored, with two different sizes")),
            8 => true,
            method => return fault(MemberFault::Method(method)),
        };
        let limit = entry.packed.saturating_mul(DEFLATE_RATIO);
        if deflated && limit < entry.size {
            return fault(MemberFault::TooLarge { size: entry.size, limit });
        }
        match self.locate(entry, directory) {
            Ok((header, data)) => Ok(Member { header, data, size: entry.size, deflated }),
            Err(what) => fault(MemberFault::Damaged(what)),
        }
    }

    /// Where an entry's local header starts, and where its data lies.
    fn locate(
        &self,
        entry: &Entry,
        directory: usize,
    ) -> Result<(usize, Range<usize>), &'static str> {
        const OUTSIDE: &str = "it lies outside of the file";
        let header = usize::try_from(entry.header).map_err(|_| OUTSIDE)?;
        let local = self.bytes.get(header..).ok_or(OUTSIDE)?;
        if u32_at(local, 0) != Some(LOCAL) {
            return Err("it has no local header");
        }
        let name_len = usize::from(u16_at(local, 26).ok_or(OUTSIDE)?);
        let extra_len = usize::from(u16_at(local, 28).ok_or(OUTSIDE)?);
        let name_end = LOCAL_LEN + name_len;
        // Sizes may be zero here (they follow the data then), but a name that differs shows two
        // readers two different archives.
        if local.get(LOCAL_LEN..name_end) != Some(entry.name.as_bytes()) {
            return Err("its two headers name it differently");
        }
        let start = header.checked_add(name_end + extra_len).ok_or(OUTSIDE)?;
        let packed = usize::try_from(entry.packed).map_err(|_| OUTSIDE)?;
        let end = start.checked_add(packed).ok_or(OUTSIDE)?;
        if directory < end { Err(OUTSIDE) } else { Ok((header, start..end)) }
    }

    /// Refuses members that share bytes, by which a small file can pretend to be a huge one.
    fn check_overlaps(&self) -> Result<(), ImportError> {
        let mut ranges: Vec<_> = self
            .members
            .iter()
            .map(|(name, member)| (member.header, member.data.end, name))
            .collect();
        ranges.sort_unstable();
        let mut before: Option<(usize, &String)> = None;
        for (start, end, name) in ranges {
            if let Some((before_end, other)) = before
                && start < before_end
            {
                let fault = MemberFault::Overlaps { other: self.place(other) };
                return Err(self.fault(name, fault));
            }
            before = Some((end, name));
        }
        Ok(())
    }
}

/// Where the central directory lies.
struct Directory {
    range: Range<usize>,
    entries: u64,
}

impl Directory {
    fn find(bytes: &[u8]) -> Result<Directory, String> {
        let end = find_end(bytes).ok_or("it has no end record; is it truncated?")?;
        let directory = Directory::read(bytes, end).ok_or("its end record is damaged")?;
        if directory.range.end < directory.range.start || end < directory.range.end {
            return Err("its directory is outside of the file; is it truncated?".into());
        }
        if ((directory.range.len() / CENTRAL_LEN) as u64) < directory.entries {
            return Err("its directory is too small for the members it counts".into());
        }
        Ok(directory)
    }

    fn read(bytes: &[u8], end: usize) -> Option<Directory> {
        let record = bytes.get(end..)?;
        let mut entries = u64::from(u16_at(record, 10)?);
        let mut size = u64::from(u32_at(record, 12)?);
        let mut offset = u64::from(u32_at(record, 16)?);
        let mut disks = [u16_at(record, 4)?.into(), u32::from(u16_at(record, 6)?)];
        if entries == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
            let locator = bytes.get(end.checked_sub(LOCATOR64_LEN)?..)?;
            if u32_at(locator, 0)? != LOCATOR64 {
                return None;
            }
            let record = bytes.get(usize::try_from(u64_at(locator, 8)?).ok()?..)?;
            if u32_at(record, 0)? != END64 {
                return None;
            }
            disks = [u32_at(record, 16)?, u32_at(record, 20)?];
            entries = u64_at(record, 32)?;
            size = u64_at(record, 40)?;
            offset = u64_at(record, 48)?;
        }
        if disks != [0, 0] {
            return None;
        }
        let start = usize::try_from(offset).ok()?;
        Some(Directory { range: start..start.checked_add(usize::try_from(size).ok()?)?, entries })
    }
}

/// The offset of the end record: the last one whose comment reaches exactly to the file's end.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_LEN)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|&at| {
        u32_at(bytes, at) == Some(END)
            && u16_at(bytes, at + 20)
                .is_some_and(|len| at + END_LEN + usize::from(len) == bytes.len())
    })
}

/// The entry at `at`, or its name where that is not UTF-8; and where the next one starts.
fn read_entry(central: &[u8], at: usize) -> Option<(Result<Entry, String>, usize)> {
    let record = central.get(at..)?;
    if u32_at(record, 0)? != CENTRAL {
        return None;
    }
    let name_end = CENTRAL_LEN + usize::from(u16_at(record, 28)?);
    let extra_end = name_end + usize::from(u16_at(record, 30)?);
    let end = extra_end + usize::from(u16_at(record, 32)?);
    let name = record.get(CENTRAL_LEN..name_end)?;
    let mut extra = record.get(name_end..extra_end)?;
    let mut wide = [
        u64::from(u32_at(record, 24)?),
        u64::from(u32_at(record, 20)?),
        u64::from(u32_at(record, 42)?),
    ];
    if wide.contains(&0xffff_ffff) {
        // The zip64 field holds, in this order, those of the three that did not fit.
        while u16_at(extra, 0)? != 1 {
            extra = extra.get(4 + usize::from(u16_at(extra, 2)?)..)?;
        }
        let mut values = extra.get(4..)?.get(..usize::from(u16_at(extra, 2)?))?;
        for value in wide.iter_mut().filter(|value| **value == 0xffff_ffff) {
            *value = u64_at(values, 0)?;
            values = values.get(8..)?;
        }
    }
    let [size, packed, header] = wide;
    let entry = match String::from_utf8(name.to_vec()) {
        Ok(name) => {
            let (flags, method) = (u16_at(record, 8)?, u16_at(record, 10)?);
            Ok(Entry { name, flags, method, packed, size, header })
        }
        Err(_) => Err(String::from_utf8_lossy(name).into_owned()),
    };
    record.get(..end)?;
    Some((entry, at + end))
}

/// Whether a name stays inside of its archive on every system.
fn is_plain(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    !name.is_empty()
        && !name.starts_with('/')
        && !drive
        && !name.contains(['\\', '\0'])
        && name.split('/').all(|part| part != "..")
}
