//! Offsets for tensors whose lives are known.
//!
//! Where all sizes are numbers, that is [`arena::plan`]. Where some are expressions, a plan is an
//! *order*: each tensor lies on top of those before it that live beside it, whatever the sizes.
//! Which order is good depends on the sizes, so those that are good at some sizes in range are
//! compared at all of them.

use sym::{Expr, Facts};

use crate::{
    arena::{self, Item, Limits},
    lives::Root,
    proofs::Proofs,
};

/// A plan: an offset per tensor, and the arena's size, in bytes.
pub(super) struct Placed {
    pub offsets: Vec<Expr>,
    pub size: Expr,
}

/// Placements that the search may try for each plan. Heuristics find most plans; this bounds the
/// time for the others.
const STEPS: u64 = 400_000;

/// An offset that costs more than this to compute is not worth its bytes.
const MAX_COST: u64 = 600;

/// Places tensors of these sizes, which are multiples of the alignment.
pub(super) fn place(roots: &[Root], sizes: &[Expr], facts: &Facts) -> Placed {
    let sizes: Vec<Expr> = sizes.iter().map(|it| sym::simplify(it, facts)).collect();
    let known: Option<Vec<i64>> = sizes.iter().map(Expr::as_int).collect();
    if let Some(known) = known
        && let Some(items) = items(roots, &known)
    {
        let plan = arena::plan(&items, limits(&items));
        let offsets = plan.offsets.into_iter().map(Expr::int).collect();
        return Placed { offsets, size: Expr::int(plan.height) };
    }
    in_order(roots, &sizes, facts)
        .filter(|it| is_proven(roots, &sizes, it, facts))
        .unwrap_or_else(|| one_after_another(&sizes))
}

/// Whether it is proven of a plan, as `check-memory` will have it, that what lives together is
/// apart and all is inside. It always is so; but what nobody can prove is no plan.
fn is_proven(roots: &[Root], sizes: &[Expr], placed: &Placed, facts: &Facts) -> bool {
    let mut proofs = Proofs::new(facts);
    let tops: Vec<Expr> = placed
        .offsets
        .iter()
        .zip(sizes)
        .map(|(offset, size)| sym::simplify(&(offset.clone() + size.clone()), facts))
        .collect();
    let span = |i: usize| [&placed.offsets[i], &tops[i]];
    (0..roots.len()).filter(|i| roots[*i].life.is_some()).all(|i| {
        let mut beside = (0..i).filter(|j| roots[*j].meets(&roots[i]));
        proofs.at_most(&tops[i], &placed.size) && beside.all(|j| proofs.apart(span(j), span(i)))
    })
}

fn limits(items: &[Item]) -> Limits {
    Limits { capacity: None, steps: STEPS / (items.len() as u64).max(1) }
}

/// What the planner plans, if the sizes can be counted.
fn items(roots: &[Root], sizes: &[i64]) -> Option<Vec<Item>> {
    let items: Vec<Item> = roots
        .iter()
        .zip(sizes)
        .map(|(root, size)| {
            let (start, end) = root.life.unwrap_or((0, 0));
            Item { start: start as i64, end: end as i64, size: *size }
        })
        .collect();
    arena::check_items(&items).ok().map(|()| items)
}

/// What is always right: no tensor shares with another.
fn one_after_another(sizes: &[Expr]) -> Placed {
    let mut at = Expr::int(0);
    let mut offsets = Vec::new();
    for size in sizes {
        offsets.push(at.clone());
        at = at + size.clone();
    }
    Placed { offsets, size: at }
}

/// A plan by the best of several orders.
fn in_order(roots: &[Root], sizes: &[Expr], facts: &Facts) -> Option<Placed> {
    let samples: Vec<Vec<Item>> = points(sizes, facts)
        .iter()
        .filter_map(|point| {
            let value = |name: &str| point.iter().find(|it| it.0 == name).map(|it| it.1);
            let sizes: Option<Vec<i64>> =
                sizes.iter().map(|it| it.eval(&value).ok().filter(|it| 0 <= *it)).collect();
            items(roots, &sizes?)
        })
        .collect();
    let mut candidates: Vec<(f64, Vec<usize>)> = Vec::new();
    for items in &samples {
        let plan = arena::plan(items, limits(items));
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|i| (plan.offsets[*i], *i));
        if candidates.iter().all(|it| it.1 != order) {
            let worst = samples.iter().map(|it| waste(it, &order)).fold(1.0, f64::max);
            candidates.push((worst, order));
        }
    }
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    candidates.iter().find_map(|it| stacked(roots, sizes, &samples, &it.1, facts))
}

/// How many times the least possible height a plan by `order` has.
fn waste(items: &[Item], order: &[usize]) -> f64 {
    let mut tops: Vec<i64> = vec![0; items.len()];
    for (k, i) in order.iter().enumerate() {
        let below = order[..k].iter().filter(|j| items[**j].meets(&items[*i]));
        tops[*i] = below.map(|j| tops[*j]).max().unwrap_or(0) + items[*i].size;
    }
    let height = tops.into_iter().max().unwrap_or(0);
    height as f64 / arena::lower_bound(items).max(1) as f64
}

/// Sizes at which orders are found and compared: the ends of the ranges and points between,
/// where every symbol has come as far on its way from the least to the greatest value, and points
/// where one symbol alone is at its other end.
pub(crate) fn points(sizes: &[Expr], facts: &Facts) -> Vec<Vec<(String, i64)>> {
    let mut names = std::collections::BTreeSet::new();
    sizes.iter().for_each(|it| names.extend(it.symbols()));
    let ends: Vec<(String, i64, i64)> = names
        .iter()
        .map(|name| {
            let range = facts.range_of_sym(name);
            let least = range.lo.max(0);
            // Without a bound, sizes that a machine's memory has room for.
            let most = range.hi.min(least.saturating_add(4096));
            (name.to_string(), least, most.max(least))
        })
        .collect();
    let at = |part: f64, (name, least, most): &(String, i64, i64)| {
        let (a, b) = ((*least).max(1) as f64, (*most).max(1) as f64);
        // Equal factors, not equal distances: small sizes differ more.
        let value = (a * (b / a).powf(part)).round() as i64;
        (name.clone(), value.clamp(*least, *most))
    };
    let mut res: Vec<Vec<(String, i64)>> = [0.5, 0.75, 1.0, 0.25, 0.0]
        .iter()
        .map(|part| ends.iter().map(|it| at(*part, it)).collect())
        .collect();
    if 1 < ends.len() {
        for i in 0..ends.len().min(3) {
            for part in [0.0, 1.0] {
                let other = |k: usize| if k == i { part } else { 1.0 - part };
                res.push(ends.iter().enumerate().map(|(k, it)| at(other(k), it)).collect());
            }
        }
    }
    res.dedup();
    res
}

/// Each tensor on top of those before it that it lives beside.
fn stacked(
    roots: &[Root],
    sizes: &[Expr],
    samples: &[Vec<Item>],
    order: &[usize],
    facts: &Facts,
) -> Option<Placed> {
    let mut stack = Stack { facts, samples, proofs: Proofs::new(facts) };
    let mut offsets = vec![Expr::int(0); roots.len()];
    let mut tops: Vec<Top> = Vec::new();
    for (k, i) in order.iter().enumerate() {
        if roots[*i].life.is_none() {
            tops.push(stack.bottom());
            continue;
        }
        let below: Vec<Top> = (0..k)
            .filter(|j| roots[order[*j]].meets(&roots[*i]))
            .map(|j| tops[j].clone())
            .collect();
        let bottom = stack.highest(below)?;
        offsets[*i] = bottom.expr.clone();
        tops.push(stack.plus(&bottom, &sizes[*i], *i));
    }
    let size = stack.highest(tops)?.expr;
    Some(Placed { offsets, size })
}

/// A height: as an expression, and at the samples.
#[derive(Clone)]
struct Top {
    expr: Expr,
    at: Vec<i64>,
}

struct Stack<'a> {
    facts: &'a Facts,
    samples: &'a [Vec<Item>],
    proofs: Proofs<'a>,
}

impl Stack<'_> {
    fn bottom(&self) -> Top {
        Top { expr: Expr::int(0), at: vec![0; self.samples.len()] }
    }

    fn plus(&self, bottom: &Top, size: &Expr, i: usize) -> Top {
        let at = bottom.at.iter().zip(self.samples).map(|(at, items)| at + items[i].size);
        let expr = sym::simplify(&(bottom.expr.clone() + size.clone()), self.facts);
        Top { expr, at: at.collect() }
    }

    /// The greatest of heights; none if it is too long an expression.
    fn highest(&mut self, mut tops: Vec<Top>) -> Option<Top> {
        // Those that are high at the samples first: most others are proven to be below them.
        tops.sort_by(|a, b| b.at.cmp(&a.at));
        let mut kept: Vec<Top> = Vec::new();
        for top in tops {
            if !kept.iter().any(|it| self.is_below(&top, it)) {
                kept.retain(|it| !self.is_below(it, &top));
                kept.push(top);
            }
        }
        let mut kept = kept.into_iter();
        let mut res = kept.next().unwrap_or_else(|| self.bottom());
        for it in kept {
            let at = res.at.iter().zip(&it.at).map(|(a, b)| *a.max(b)).collect();
            res = Top { expr: Expr::max(&res.expr, &it.expr), at };
        }
        (res.expr.cost() <= MAX_COST).then_some(res)
    }

    /// Whether `a` is proven to be no higher than `b` wherever the facts hold.
    fn is_below(&mut self, a: &Top, b: &Top) -> bool {
        if a.at.iter().zip(&b.at).any(|(a, b)| b < a) {
            return false;
        }
        self.proofs.at_most(&a.expr, &b.expr)
    }
}

#[cfg(test)]
mod tests {
    use ir::ValueId;

    use super::*;

    fn roots(lives: &[(usize, usize)]) -> Vec<Root> {
        let root =
            |it: (usize, &(usize, usize))| Root { value: ValueId(it.0 as u32), life: Some(*it.1) };
        lives.iter().enumerate().map(root).collect()
    }

    #[test]
    fn dead_memory_is_used_again() {
        let sizes = [128, 64, 128].map(Expr::int);
        let placed = place(&roots(&[(0, 2), (1, 3), (2, 4)]), &sizes, &Facts::default());
        assert_eq!(placed.size, Expr::int(192));
        assert_eq!(placed.offsets[0], placed.offsets[2]);
    }

    fn facts(names: &[&str]) -> Facts {
        let mut facts = Facts::default();
        names.iter().for_each(|it| facts.set_range(it, sym::Range { lo: 1, hi: 100 }));
        facts
    }

    #[test]
    fn sizes_of_which_neither_is_less_are_stacked_at_the_greater() {
        let facts = facts(&["s0", "s1"]);
        let size = |name: &str, k: i64| Expr::sym(name) * Expr::int(64 * k);
        // The second and the third both lie on the first or both below it.
        let sizes = [size("s0", 1), size("s1", 1), size("s0", 2)];
        let placed = place(&roots(&[(0, 9), (1, 3), (3, 6)]), &sizes, &facts);
        for (s0, s1) in [(1, 1), (1, 100), (100, 1), (50, 100)] {
            let at = |name: &str| Some(if name == "s0" { s0 } else { s1 });
            let value = |it: &Expr| it.eval(&at).unwrap();
            assert_eq!(value(&placed.size), 64 * (s0 + s1.max(2 * s0)));
        }
    }

    #[test]
    fn proofs_leave_no_maximum_where_one_size_is_always_greater() {
        let facts = facts(&["s0"]);
        let size = |k: i64| Expr::sym("s0") * Expr::int(64 * k);
        let sizes = [size(1), size(2), size(3), Expr::int(64)];
        let placed = place(&roots(&[(0, 2), (1, 3), (2, 4), (3, 5)]), &sizes, &facts);
        assert_eq!(placed.size, size(5));
    }

    #[test]
    fn largest_ones_on_top_of_largest_ones_are_proven_apart() {
        let mut facts = Facts::default();
        let any = sym::Range { lo: 2, hi: i64::MAX };
        ["s0", "s1"].iter().for_each(|it| facts.set_range(it, any));
        let size = |it: &str| sym::parse(it).unwrap();
        let (rows, weights) = (size("256*s0*s1"), size("64*((s0**2*s1 + 3)//4)"));
        // What each layer of an encoder over sequences of any length and number needs.
        let lives = [(0, 9), (1, 4), (2, 4), (3, 5), (4, 6), (5, 8), (6, 8), (7, 9)];
        let sizes =
            [&rows, &rows, &rows, &weights, &weights, &weights, &rows, &rows].map(Expr::clone);
        let roots = roots(&lives);
        let placed = place(&roots, &sizes, &facts);
        assert!(is_proven(&roots, &sizes, &placed, &facts));
        assert_ne!(placed.size, one_after_another(&sizes).size);
    }

    #[test]
    fn sizes_that_cannot_be_counted_share_nothing() {
        let sizes = [i64::MAX - 63, i64::MAX - 63].map(Expr::int);
        let placed = place(&roots(&[(0, 1), (1, 2)]), &sizes, &Facts::default());
        assert_eq!(placed.offsets[1], sizes[0]);
    }
}
