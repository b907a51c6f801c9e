//! Offsets for tensors whose lives are known.

use ir::ValueId;
use sym::{Answer, Expr, Facts};

/// A tensor to place.
pub(super) struct Buffer {
    pub value: ValueId,
    pub bytes: Expr,
    /// The first statement that uses it; none does if absent.
    pub start: Option<usize>,
    /// The last statement that uses it.
    pub end: usize,
}

impl Buffer {
    fn overlaps(&self, other: &Buffer) -> bool {
        match (self.start, other.start) {
            (Some(a), Some(b)) => a <= other.end && b <= self.end,
            _ => false,
        }
    }
}

/// A plan: an offset per tensor, and the arena's size, in bytes.
pub(super) struct Placed {
    pub offsets: Vec<Expr>,
    pub size: Expr,
}

/// Places all tensors. Known sizes lie at the arena's start, the others behind them.
pub(super) fn place(buffers: &[Buffer], facts: &Facts) -> Placed {
    let known: Vec<Option<i64>> =
        buffers.iter().map(|it| sym::simplify(&it.bytes, facts).as_int()).collect();
    let mut offsets: Vec<Expr> = vec![Expr::int(0); buffers.len()];
    let fixed = first_fit(buffers, &known, &mut offsets);
    let size = in_slots(buffers, &known, facts, fixed, &mut offsets);
    Placed { offsets, size }
}

/// First fit, the largest first; gives the bytes used.
fn first_fit(buffers: &[Buffer], known: &[Option<i64>], offsets: &mut [Expr]) -> i64 {
    let mut order: Vec<(usize, i64)> =
        known.iter().enumerate().filter_map(|(i, it)| it.map(|it| (i, it))).collect();
    order.sort_by_key(|it| (std::cmp::Reverse(it.1), it.0));
    let mut placed: Vec<(usize, i64, i64)> = Vec::new();
    let mut top = 0;
    for (i, bytes) in order {
        let mut taken: Vec<(i64, i64)> = placed
            .iter()
            .filter(|it| buffers[it.0].overlaps(&buffers[i]))
            .map(|it| (it.1, it.2))
            .collect();
        taken.sort_unstable();
        let mut at = 0_i64;
        for (start, end) in taken {
            if at.saturating_add(bytes) <= start {
                break;
            }
            at = at.max(end);
        }
        placed.push((i, at, at.saturating_add(bytes)));
        offsets[i] = Expr::int(at);
        top = top.max(at.saturating_add(bytes));
    }
    top
}

/// Sizes that are expressions: a tensor takes a slot whose tensors are all dead by then and whose
/// size it is proven to fit, else a new one. Gives the arena's size.
fn in_slots(
    buffers: &[Buffer],
    known: &[Option<i64>],
    facts: &Facts,
    fixed: i64,
    offsets: &mut [Expr],
) -> Expr {
    struct Slot {
        bytes: Expr,
        tenants: Vec<usize>,
    }
    let mut slots: Vec<Slot> = Vec::new();
    for i in (0..buffers.len()).filter(|it| known[*it].is_none()) {
        let bytes = sym::simplify(&buffers[i].bytes, facts);
        let proven = |a: &Expr, b: &Expr| a == b || sym::less_equal(a, b, facts) == Answer::Proven;
        let fit = slots.iter().position(|slot| {
            let free = slot.tenants.iter().all(|it| !buffers[*it].overlaps(&buffers[i]));
            free && (proven(&bytes, &slot.bytes) || proven(&slot.bytes, &bytes))
        });
        match fit {
            Some(at) => {
                if !proven(&bytes, &slots[at].bytes) {
                    slots[at].bytes = bytes;
                }
                slots[at].tenants.push(i);
            }
            None => slots.push(Slot { bytes, tenants: vec![i] }),
        }
    }
    let mut at = Expr::int(fixed);
    for slot in &slots {
        for tenant in &slot.tenants {
            offsets[*tenant] = at.clone();
        }
        at = at + slot.bytes.clone();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(i: u32, bytes: Expr, start: usize, end: usize) -> Buffer {
        Buffer { value: ValueId(i), bytes, start: Some(start), end }
    }

    #[test]
    fn dead_memory_is_used_again() {
        let sizes = [128, 64, 128];
        let lives = [(0, 1), (1, 2), (2, 3)];
        let buffers: Vec<Buffer> = sizes
            .iter()
            .zip(lives)
            .enumerate()
            .map(|(i, (size, life))| buffer(i as u32, Expr::int(*size), life.0, life.1))
            .collect();
        let placed = place(&buffers, &Facts::default());
        assert_eq!(placed.size, Expr::int(192));
        assert_eq!(placed.offsets, [0, 128, 0].map(Expr::int));
    }

    #[test]
    fn symbolic_sizes_share_only_what_is_proven_to_fit() {
        let mut facts = Facts::default();
        facts.set_range("s0", sym::Range { lo: 1, hi: 100 });
        facts.set_range("s1", sym::Range { lo: 1, hi: 100 });
        let size = |name: &str, k: i64| Expr::sym(name) * Expr::int(64 * k);
        let buffers = [
            buffer(0, size("s0", 1), 0, 1),
            buffer(1, size("s1", 1), 2, 3),
            buffer(2, size("s0", 2), 4, 5),
        ];
        let placed = place(&buffers, &facts);
        assert_eq!(placed.offsets[0], placed.offsets[2]);
        assert_eq!(placed.size, size("s0", 2) + size("s1", 1));
    }
}
