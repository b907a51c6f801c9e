//! A search that builds placements in ascending order of their offsets.
//!
//! Placements are built from below: each item lies as low as those before it let it, and the
//! offsets never fall. Every placement can be sunk until it can be built like that, so nothing is
//! missed; and since nothing comes below the last offset any more, the room that stays empty under
//! it is lost, which shows early that a beginning leads nowhere.

use std::cmp::Reverse;

use rustc_hash::FxHashSet;

use super::{problem::Problem, search::End};

/// As many states as are kept of those that lead nowhere.
const MOST_STATES: usize = 1 << 20;

/// What is preferred first, of what can lie equally low: the largest by these measures in turn.
#[derive(Clone, Copy)]
pub(super) struct Preference {
    measures: [Measure; 3],
    /// Whether measures are taken anew of each part that comes apart from the rest.
    is_renewed: bool,
}

#[derive(Clone, Copy)]
enum Measure {
    /// The most that lives at one moment of an item's life.
    Crowd,
    Life,
    /// Its size times its life.
    Area,
}

/// Each is quick where others are lost.
pub(super) const PREFERENCES: [Preference; 3] = {
    use Measure::{Area, Crowd, Life};
    const fn of(measures: [Measure; 3], is_renewed: bool) -> Preference {
        Preference { measures, is_renewed }
    }
    [of([Crowd, Life, Area], true), of([Crowd, Life, Area], false), of([Life, Area, Crowd], true)]
};

/// How far a placement has come: nothing may be placed below that offset any more, nor at it what
/// is preferred over the one last placed.
type Progress = (i32, u32);

/// A search with one preference.
pub(super) struct Ascent<'a> {
    problem: &'a Problem,
    preference: Preference,
    /// Placements that may still be tried.
    pub left: u64,
    /// For each item the lowest offset it may still have, or has.
    pub offsets: Vec<i32>,
    placed: Vec<bool>,
    /// For each item how late it is preferred within its part.
    rank: Vec<u32>,
    /// States from which there is no way, by their hash.
    dead: FxHashSet<u128>,
    /// Scratch: for each span how high it is filled.
    tops: Vec<i32>,
    /// Scratch: offsets and the items that have them.
    order: Vec<(i32, u32)>,
}

impl<'a> Ascent<'a> {
    pub(super) fn new(problem: &'a Problem, preference: Preference, left: u64) -> Ascent<'a> {
        let count = problem.size.len();
        Ascent {
            problem,
            preference,
            left,
            offsets: vec![0; count],
            placed: vec![false; count],
            rank: vec![0; count],
            dead: FxHashSet::default(),
            tops: vec![0; problem.spans],
            order: Vec::with_capacity(count),
        }
    }

    /// Places all items.
    pub(super) fn everything(&mut self) -> End {
        let all: Vec<u32> = (0..self.problem.size.len() as u32).collect();
        self.prefer(&all);
        self.rest(&all, (0, 0))
    }

    fn size(&self, i: u32) -> i32 {
        self.problem.size[i as usize]
    }

    fn low(&self, i: u32) -> i32 {
        self.offsets[i as usize]
    }

    /// The spans that some items live through, from the first to the last.
    fn reach(&self, part: &[u32]) -> std::ops::Range<usize> {
        let span = |i: &u32| self.problem.span[*i as usize];
        let from = part.iter().map(|i| span(i).0).min().unwrap_or(0);
        let to = part.iter().map(|i| span(i).1).max().unwrap_or(0);
        from as usize..to as usize
    }

    /// Ranks the items of a part.
    fn prefer(&mut self, part: &[u32]) {
        let reach = self.reach(part);
        self.tops[reach].fill(0);
        for i in part {
            let (from, to) = self.problem.span[*i as usize];
            let size = self.size(*i);
            self.tops[from as usize..to as usize].iter_mut().for_each(|top| *top += size);
        }
        let key = |i: u32| {
            let life = i128::from(self.problem.life[i as usize]);
            self.preference.measures.map(|it| match it {
                Measure::Crowd => {
                    let (from, to) = self.problem.span[i as usize];
                    let during = &self.tops[from as usize..to as usize];
                    during.iter().copied().max().unwrap_or(0).into()
                }
                Measure::Life => life,
                Measure::Area => life * i128::from(self.size(i)),
            })
        };
        let mut order: Vec<([i128; 3], u32)> = part.iter().map(|i| (key(*i), *i)).collect();
        order.sort_unstable_by_key(|it| (Reverse(it.0), it.1));
        for (place, (_, i)) in order.into_iter().enumerate() {
            self.rank[i as usize] = place as u32;
        }
    }

    /// Places what is left among `within`, part by part where lives do not touch.
    fn rest(&mut self, within: &[u32], progress: Progress) -> End {
        let open: Vec<u32> =
            within.iter().copied().filter(|it| !self.placed[*it as usize]).collect();
        let mut parts: Vec<&[u32]> = Vec::new();
        let (mut from, mut reach) = (0, 0);
        for (k, i) in open.iter().enumerate() {
            let span = self.problem.span[*i as usize];
            if from < k && reach <= span.0 {
                parts.push(&open[from..k]);
                from = k;
            }
            reach = reach.max(span.1);
        }
        if from < open.len() {
            parts.push(&open[from..]);
        }
        if let [part] = parts[..] {
            return self.part(part, progress);
        }
        // The smallest part first: if there is no way in it, that shows soonest.
        parts.sort_by_key(|it| it.len());
        let before: Vec<(i32, u32)> =
            open.iter().map(|i| (self.low(*i), self.rank[*i as usize])).collect();
        for part in parts {
            if self.preference.is_renewed {
                self.prefer(part);
            }
            // Parts do not see one another, so each begins at the bottom again.
            match self.part(part, (0, 0)) {
                End::Placed => (),
                End::OutOfSteps => return End::OutOfSteps,
                End::Impossible => {
                    for (i, (offset, rank)) in open.iter().zip(before) {
                        self.placed[*i as usize] = false;
                        self.offsets[*i as usize] = offset;
                        self.rank[*i as usize] = rank;
                    }
                    return End::Impossible;
                }
            }
        }
        End::Placed
    }

    /// Places items whose lives hang together. If that is impossible nothing has changed.
    fn part(&mut self, part: &[u32], progress: Progress) -> End {
        if !self.can_fit(part, progress) {
            return End::Impossible;
        }
        let state = self.state(part, progress);
        if self.dead.contains(&state) {
            return End::Impossible;
        }
        for i in self.choices(part, progress) {
            if self.left == 0 {
                return End::OutOfSteps;
            }
            self.left -= 1;
            let at = (self.low(i), self.rank[i as usize]);
            let Put { pushed, is_covered } = self.put(i);
            match self.rest(part, at) {
                End::Impossible => (),
                end => return end,
            }
            self.placed[i as usize] = false;
            pushed.into_iter().for_each(|(k, old)| self.offsets[k as usize] = old);
            // What has nothing above it was in nobody's way.
            if !is_covered {
                break;
            }
        }
        if self.dead.len() < MOST_STATES {
            self.dead.insert(state);
        }
        End::Impossible
    }

    /// What may be placed next, the best first. What would lie above the end of another that could
    /// be placed now would leave a gap for that one, and need not be tried.
    fn choices(&self, part: &[u32], progress: Progress) -> Vec<u32> {
        let end = |i: &u32| self.low(*i) + self.size(*i);
        let below = part.iter().map(end).min().unwrap_or(0);
        let mut res: Vec<(Progress, u32)> = part
            .iter()
            .map(|i| ((self.low(*i), self.rank[*i as usize]), *i))
            .filter(|it| progress <= it.0 && it.0.0 < below)
            .collect();
        res.sort_unstable();
        // Of items that are alike one stands for all.
        let mut seen: Vec<(u32, u32, i32)> = Vec::new();
        res.retain(|it| {
            let (from, to) = self.problem.span[it.1 as usize];
            let key = (from, to, self.size(it.1));
            let is_new = !seen.contains(&key);
            seen.push(key);
            is_new
        });
        res.into_iter().map(|it| it.1).collect()
    }

    /// Whether what is left may fit: piled up in each span from the lowest offsets that it can
    /// have, it does not stand above the goal.
    fn can_fit(&mut self, part: &[u32], progress: Progress) -> bool {
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(part.iter().map_while(|i| Some((self.lowest(*i, progress)?, *i))));
        let mut fits = order.len() == part.len();
        order.sort_unstable();
        let reach = self.reach(part);
        self.tops[reach].fill(progress.0);
        for (low, i) in &order {
            if !fits {
                break;
            }
            let (size, (from, to)) = (self.size(*i), self.problem.span[*i as usize]);
            let mut highest = 0;
            for top in &mut self.tops[from as usize..to as usize] {
                *top = (*top).max(*low) + size;
                highest = highest.max(*top);
            }
            fits = highest <= self.problem.goal;
        }
        self.order = order;
        fits
    }

    /// The lowest offset that an item can come to have, if it can be placed at all. One that was
    /// passed over must first be pushed up by one beside it, which must begin below its end.
    fn lowest(&self, i: u32, progress: Progress) -> Option<i32> {
        let low = self.low(i);
        if progress <= (low, self.rank[i as usize]) {
            return Some(low);
        }
        let end = low + self.size(i);
        let mut res = i32::MAX;
        for k in &self.problem.beside[i as usize] {
            let low = self.low(*k).max(progress.0);
            if !self.placed[*k as usize] && low < end {
                res = res.min(low + self.size(*k));
            }
        }
        (res < i32::MAX).then_some(res)
    }

    /// Places an item at its lowest offset.
    fn put(&mut self, i: u32) -> Put {
        self.placed[i as usize] = true;
        let top = self.low(i) + self.size(i);
        let mut res = Put { pushed: Vec::new(), is_covered: false };
        for k in &self.problem.beside[i as usize] {
            if self.placed[*k as usize] {
                continue;
            }
            res.is_covered = true;
            if self.offsets[*k as usize] < top {
                res.pushed.push((*k, self.offsets[*k as usize]));
                self.offsets[*k as usize] = top;
            }
        }
        res
    }

    /// A hash of all that the rest depends on: how far the placement has come, which items are left
    /// and how low they can be.
    fn state(&self, part: &[u32], progress: Progress) -> u128 {
        let word = |a: i32, b: u32| u128::from(b) << 32 | u128::from(a.unsigned_abs());
        let mut hash = 0x6a09_e667_f3bc_c908_bb67_ae85_84ca_a73b_u128;
        let mut mix = |word: u128| {
            hash = (hash ^ word).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
            hash ^= hash >> 59;
        };
        mix(word(progress.0, progress.1));
        part.iter().for_each(|i| mix(word(self.low(*i), *i)));
        hash
    }
}

/// What placing an item did.
struct Put {
    /// The items that lost room, with the lowest offsets they had.
    pushed: Vec<(u32, i32)>,
    /// Whether anything is yet to be placed above it.
    is_covered: bool,
}
