//! Real archives with bytes changed: never a panic, and never long.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crate::support::model;

/// Xorshift: the same damage on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    fn within(&mut self, range: &Range<usize>) -> usize {
        range.start + self.below(range.len())
    }
}

/// What may be damaged: each member, all between them, the directory.
fn regions(bytes: &[u8]) -> Vec<Range<usize>> {
    let archive = import::read(bytes).unwrap();
    let zip = archive.zip();
    let mut regions: Vec<_> =
        zip.names().map(|name| zip.read(name).unwrap().file_range().unwrap()).collect();
    let end = regions.iter().map(|it| it.end).max().unwrap();
    regions.push(end..bytes.len());
    regions.push(0..bytes.len());
    regions
}

fn damage(bytes: &mut Vec<u8>, regions: &[Range<usize>], random: &mut Random) {
    let region = regions[random.below(regions.len())].clone();
    for _ in 0..1 + random.below(4) {
        let at = random.within(&region);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            2 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'(', b'R', b'\n', b'"'][random.below(8)],
            // A number becomes another, and JSON stays JSON.
            3 => {
                let digit = (at..region.end).find(|&it| bytes[it].is_ascii_digit());
                bytes[digit.unwrap_or(at)] = b"0123456789-"[random.below(11)];
            }
            4 => {
                let len = random.below(16).min(region.end - at);
                let from = random.within(&region).min(region.end - len);
                bytes.copy_within(from..from + len, at);
            }
            _ if random.below(20) == 0 => {
                let len = random.below(bytes.len());
                bytes.truncate(len);
                return;
            }
            _ => bytes[at] = 0,
        }
    }
}

#[test]
fn damaged_archives_neither_panic_nor_hang() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut kinds = std::collections::BTreeMap::<_, usize>::new();
    for name in ["tiny_2.6.pt2", "tiny_2.8.pt2", "tiny_2.15.pt2"] {
        let whole = model(name);
        let regions = regions(&whole);
        for _ in 0..900 {
            let mut bytes = whole.clone();
            damage(&mut bytes, &regions, &mut random);
            let start = Instant::now();
            let kind = match import::read(&bytes) {
                Ok(archive) => match archive.sample_inputs() {
                    Ok(_) => "reads",
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        error.kind()
                    }
                },
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    error.kind()
                }
            };
            assert!(start.elapsed() < Duration::from_secs(5));
            *kinds.entry(kind).or_default() += 1;
        }
    }
    // The damage reaches every layer.
    for kind in ["reads", "container", "member", "json", "pickle", "short-weight", "bad-weight"] {
        assert!(kinds.get(kind).is_some_and(|&count| 0 < count), "{kind}: {kinds:?}");
    }
}
