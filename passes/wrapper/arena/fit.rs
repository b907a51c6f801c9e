//! First fit in several orders.

use std::cmp::Reverse;

use super::Item;

/// A placement and its height.
pub(super) struct Fit {
    pub offsets: Vec<i64>,
    pub height: i64,
}

impl Fit {
    pub(super) fn of(items: &[Item], offsets: Vec<i64>) -> Fit {
        let tops = items.iter().zip(&offsets).filter(|it| it.0.start < it.0.end);
        let height = tops.map(|it| it.0.size + it.1).max().unwrap_or(0);
        Fit { offsets, height }
    }
}

/// The best of all orders; stops at one that is low enough.
pub(super) fn best(items: &[Item], enough: i64) -> Fit {
    let life = |it: &Item| i128::from(it.end) - i128::from(it.start);
    let keys: [fn(&Item, i128) -> [i128; 2]; 5] = [
        |it, _| [it.size.into(), 0],
        |it, life| [it.size.into(), life],
        |it, life| [life * i128::from(it.size), life],
        |it, life| [life, it.size.into()],
        |it, _| [-i128::from(it.start), it.size.into()],
    ];
    let mut best: Option<Fit> = None;
    for key in keys {
        let found = in_order(items, &|it| key(it, life(it)));
        if best.as_ref().is_none_or(|it| found.height < it.height) {
            best = Some(found);
        }
        if best.as_ref().is_some_and(|it| it.height <= enough) {
            break;
        }
    }
    best.unwrap_or(Fit { offsets: Vec::new(), height: 0 })
}

/// Offsets by first fit, the largest first: what planners do that do not search.
pub fn first_fit_by_size(items: &[Item]) -> Vec<i64> {
    in_order(items, &|it| [it.size.into(), 0]).offsets
}

fn in_order(items: &[Item], key: &dyn Fn(&Item) -> [i128; 2]) -> Fit {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|i| (Reverse(key(&items[*i])), *i));
    let mut offsets = vec![0; items.len()];
    let mut placed: Vec<usize> = Vec::new();
    for i in order {
        let mut taken: Vec<(i64, i64)> = placed
            .iter()
            .filter(|it| items[**it].meets(&items[i]))
            .map(|it| (offsets[*it], offsets[*it] + items[*it].size))
            .collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, end) in taken {
            if at + items[i].size <= start {
                break;
            }
            at = at.max(end);
        }
        offsets[i] = at;
        placed.push(i);
    }
    Fit::of(items, offsets)
}
