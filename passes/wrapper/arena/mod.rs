//! Where in one arena things of known size and life lie: pure arithmetic on integers, without IR.
//!
//! [`plan`] is exact: searches that take turns, with a lower bound, dominance and symmetry cuts, in a
//! budget of steps and never of time. It starts from the best of several first-fit orders, which is
//! also its answer when the budget is out. One kind of search builds *active* placements (none could
//! lie lower with the others left as they are) from below; bounding by what must still lie above and
//! a canonical order are ideas of MiniMalloc (Moffitt, "MiniMalloc: A Lightweight Memory Allocator
//! for Hardware-Accelerated Machine Learning", ASPLOS 2023), the branching is Giffler and Thompson's
//! for job shops (1960). The other kind decides orders, with what is known of job shops.

mod ascent;
mod csv;
mod fit;
mod orders;
mod problem;
mod search;

pub use csv::{Named, read_csv, write_csv};
pub use fit::first_fit_by_size;

/// Something to place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item {
    /// The first moment at which it lives.
    pub start: i64,
    /// The first moment after that at which it does not.
    pub end: i64,
    /// Its bytes.
    pub size: i64,
}

impl Item {
    /// Whether both live at some moment and take up space.
    pub fn meets(&self, other: &Item) -> bool {
        self.start < other.end && other.start < self.end && 0 < self.size && 0 < other.size
    }
}

/// How far to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A height that is good enough; the least possible one if absent.
    pub capacity: Option<i64>,
    /// Placements that the search may try.
    pub steps: u64,
}

impl Default for Limits {
    /// The least height, and as many steps as take a second or so.
    fn default() -> Limits {
        Limits { capacity: None, steps: 1_000_000 }
    }
}

/// Where everything lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// For each item.
    pub offsets: Vec<i64>,
    /// The arena's size.
    pub height: i64,
    /// No arena can be smaller.
    pub lower_bound: i64,
    /// Whether the search has shown that no plan is lower than `height`, or lower than the asked
    /// capacity where `height` is above it.
    pub is_exact: bool,
    /// Placements tried.
    pub steps: u64,
}

/// Whether the items can be planned: no life or size is negative, and all sizes together can be
/// counted.
pub fn check_items(items: &[Item]) -> Result<(), String> {
    let mut total = 0_i64;
    for (i, it) in items.iter().enumerate() {
        if it.end < it.start || it.size < 0 {
            return Err(format!("item {i} has a negative life or size"));
        }
        total = total
            .checked_add(it.size)
            .ok_or_else(|| "all sizes together are too large to be counted".to_owned())?;
    }
    Ok(())
}

/// The most bytes that live at one moment: no arena is smaller.
pub fn lower_bound(items: &[Item]) -> i64 {
    live(items).into_iter().map(|it| it.1).max().unwrap_or(0)
}

/// The bytes that live from each moment at which that changes.
pub fn live(items: &[Item]) -> Vec<(i64, i64)> {
    let mut events: Vec<(i64, i64)> = items
        .iter()
        .filter(|it| it.start < it.end)
        .flat_map(|it| [(it.start, it.size), (it.end, -it.size)])
        .collect();
    events.sort_unstable();
    let mut res: Vec<(i64, i64)> = Vec::new();
    let mut sum = 0;
    for (at, change) in events {
        sum += change;
        match res.last_mut() {
            Some(last) if last.0 == at => last.1 = sum,
            _ => res.push((at, sum)),
        }
    }
    res
}

/// A plan that is as low as the limits allow to find. Sizes must have passed [`check_items`].
pub fn plan(items: &[Item], limits: Limits) -> Plan {
    let lower_bound = lower_bound(items);
    let enough = limits.capacity.unwrap_or(lower_bound).max(lower_bound);
    let mut best = fit::best(items, enough);
    let mut steps = 0;
    let mut proven = lower_bound;
    // The first round asks for the goal itself. If that cannot be had, what lies between is
    // halved, so that a height near the least is found where the least is out of reach.
    let mut goal = enough;
    while goal < best.height && steps < limits.steps {
        let left = limits.steps - steps;
        let found =
            search::search(items, goal, if goal == enough { left } else { left.div_ceil(4) });
        steps += found.steps;
        let mut low = goal;
        match found.outcome {
            search::Outcome::Found(offsets) => {
                best = fit::Fit::of(items, offsets);
                low = proven.max(enough);
            }
            search::Outcome::Impossible => proven = proven.max(goal + 1),
            search::Outcome::OutOfSteps => (),
        }
        goal = low + (best.height - low + 1) / 2;
    }
    let is_exact = best.height <= proven || best.height <= enough && enough == lower_bound;
    Plan { offsets: best.offsets, height: best.height, lower_bound, is_exact, steps }
}
