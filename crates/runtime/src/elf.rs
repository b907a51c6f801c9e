//! Looking at an ELF file before the system's loader does.
//!
//! The loader maps what the headers say and touches it: a file that was cut
//! short kills the process. So the headers are compared with the file first.

/// What the loader would take amiss, or what this machine cannot run.
pub(crate) fn check_library(file: &[u8]) -> Result<(), String> {
    let header = file.get(..64).ok_or("is too short to be a library")?;
    if header[..4] != *b"\x7fELF" {
        return Err("is not a library (no ELF file)".to_string());
    }
    let is_64_bit_little_endian = header[4] == 2 && header[5] == 1;
    if !is_64_bit_little_endian || u16_at(header, 18) != MACHINE {
        return Err(format!("was built for another machine than {}", std::env::consts::ARCH));
    }
    if u16_at(header, 16) != TYPE_SHARED {
        return Err("is an ELF file, but not a shared library".to_string());
    }
    let table = u64_at(header, 32);
    let (size, count) = (u16_at(header, 54), u16_at(header, 56));
    if size != PROGRAM_HEADER_SIZE || count == 0 {
        return Err("is damaged: its program headers are missing".to_string());
    }
    for idx in 0..u64::from(count) {
        let segment = table
            .checked_add(idx * u64::from(size))
            .and_then(|start| slice(file, start, u64::from(size)))
            .ok_or("is cut short: its program headers are missing")?;
        let (offset, in_file) = (u64_at(segment, 8), u64_at(segment, 32));
        // What is mapped must be there.
        if u32_at(segment, 0) == TYPE_LOAD && slice(file, offset, in_file).is_none() {
            return Err("is cut short: a part of the program is missing".to_string());
        }
    }
    Ok(())
}

const TYPE_SHARED: u16 = 3;
const TYPE_LOAD: u32 = 1;
const PROGRAM_HEADER_SIZE: u16 = 56;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MACHINE: u16 = 0;

fn slice(file: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let len = usize::try_from(len).ok()?;
    file.get(start..start.checked_add(len)?)
}

/// Reads at a place that is known to be within `bytes`.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest thing with one loaded segment of the whole file.
    fn library() -> Vec<u8> {
        let mut file = vec![0; 200];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16..18].copy_from_slice(&TYPE_SHARED.to_le_bytes());
        file[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&PROGRAM_HEADER_SIZE.to_le_bytes());
        file[56..58].copy_from_slice(&1u16.to_le_bytes());
        file[64..68].copy_from_slice(&TYPE_LOAD.to_le_bytes());
        file[96..104].copy_from_slice(&200u64.to_le_bytes());
        file
    }

    #[test]
    fn a_library_is_one() {
        assert_eq!(check_library(&library()), Ok(()));
    }

    #[test]
    fn every_cut_is_noticed() {
        let file = library();
        for len in 0..file.len() {
            assert!(check_library(&file[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        for (at, value) in [(0, 0), (4, 1), (5, 2), (16, 2), (18, 1), (54, 0), (56, 0), (39, 0xff)]
        {
            let mut file = library();
            file[at] = value;
            assert!(check_library(&file).is_err(), "{at}");
        }
    }
}
