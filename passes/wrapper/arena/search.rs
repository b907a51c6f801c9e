//! The exact search for a placement below a height: several searches that take turns.

use super::{
    Item,
    ascent::{Ascent, PREFERENCES},
    orders::Orders,
    problem::Problem,
};

/// What a search came to.
pub(super) enum Outcome {
    /// An offset for each item.
    Found(Vec<i64>),
    /// There is no placement of that height.
    Impossible,
    /// Nobody knows.
    OutOfSteps,
}

/// The outcome, and the steps that were taken.
pub(super) struct Found {
    pub outcome: Outcome,
    pub steps: u64,
}

/// How a search of a [`Problem`] ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Placed,
    Impossible,
    OutOfSteps,
}

/// Looks for a placement no higher than `goal`. Each search gets a slice of the steps in turn, and
/// the slices grow: where one is lost, another is often quick.
pub(super) fn search(items: &[Item], goal: i64, steps: u64) -> Found {
    let mut used = 0;
    let found = |outcome, steps| Found { outcome, steps };
    let Some(problem) = Problem::new(items, goal) else {
        return found(Outcome::OutOfSteps, used);
    };
    let mut orders = Orders::new(&problem);
    let mut slice = 2 * items.len() as u64;
    loop {
        for turn in 0..=PREFERENCES.len() {
            let budget = slice.min(steps - used);
            let (end, took, offsets) = match (turn.checked_sub(1), &mut orders) {
                (None, Some(orders)) => {
                    let (end, took) = orders.run(budget);
                    (end, took, orders.offsets())
                }
                (None, None) => continue,
                (Some(which), _) => {
                    let mut ascent = Ascent::new(&problem, PREFERENCES[which], budget);
                    (ascent.everything(), budget - ascent.left, ascent.offsets)
                }
            };
            used += took;
            match end {
                End::Placed => return found(Outcome::Found(problem.offsets(&offsets)), used),
                End::Impossible => return found(Outcome::Impossible, used),
                End::OutOfSteps if used < steps => (),
                End::OutOfSteps => return found(Outcome::OutOfSteps, used),
            }
        }
        slice = slice.saturating_mul(2);
    }
}
