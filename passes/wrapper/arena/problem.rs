//! What the searches search, in numbers that fit their inner loops.

use super::Item;

/// More items than this are left to the heuristics: the searches are as deep as they are many.
const MOST_ITEMS: usize = 4096;

/// What is searched, in numbers that fit the search's inner loops.
pub(super) struct Problem {
    /// How many items there are, with those that take no space.
    count: usize,
    /// For each item that takes space, which of all it is.
    pub which: Vec<u32>,
    /// In units.
    pub size: Vec<i32>,
    /// How long each lives.
    pub life: Vec<i64>,
    /// The spans of time between two events that each lives through.
    pub span: Vec<(u32, u32)>,
    /// How many spans there are.
    pub spans: usize,
    /// Which others each lives beside.
    pub beside: Vec<Vec<u32>>,
    pub goal: i32,
    /// Bytes.
    unit: i64,
}

impl Problem {
    pub(super) fn new(items: &[Item], goal: i64) -> Option<Problem> {
        let takes = |it: &Item| it.start < it.end && 0 < it.size;
        let mut which: Vec<u32> =
            (0..items.len() as u32).filter(|i| takes(&items[*i as usize])).collect();
        if MOST_ITEMS < which.len() {
            return None;
        }
        which.sort_by_key(|i| (items[*i as usize].start, *i));
        let all: Vec<Item> = which.iter().map(|i| items[*i as usize]).collect();
        let unit = all.iter().fold(0, |unit, it| gcd(unit, it.size)).max(1);
        let small = |it: i64| i32::try_from(it / unit).ok().filter(|it| *it < i32::MAX / 4);
        let mut times: Vec<i64> = all.iter().flat_map(|it| [it.start, it.end]).collect();
        times.sort_unstable();
        times.dedup();
        let at = |time: i64| times.partition_point(|it| *it < time) as u32;
        let beside = all
            .iter()
            .enumerate()
            .map(|(i, it)| {
                let others = all.iter().enumerate().filter(|other| other.0 != i);
                others.filter(|other| it.meets(other.1)).map(|other| other.0 as u32).collect()
            })
            .collect();
        Some(Problem {
            count: items.len(),
            which,
            size: all.iter().map(|it| small(it.size)).collect::<Option<_>>()?,
            life: all.iter().map(|it| it.end.saturating_sub(it.start)).collect(),
            span: all.iter().map(|it| (at(it.start), at(it.end))).collect(),
            spans: times.len(),
            beside,
            goal: small(goal)?,
            unit,
        })
    }

    /// Offsets for all items, in bytes.
    pub(super) fn offsets(&self, offsets: &[i32]) -> Vec<i64> {
        let mut res = vec![0; self.count];
        for (i, offset) in self.which.iter().zip(offsets) {
            res[*i as usize] = i64::from(*offset) * self.unit;
        }
        res
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
