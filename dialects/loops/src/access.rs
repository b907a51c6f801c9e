//! How a load or store moves through memory as a loop goes on.

use std::collections::BTreeSet;

use ir::{Attr, Body, DType, Op, TensorType};
use sym::{Answer, Expr, Facts, Range};

/// Facts that hold inside loops over `axes`: each axis runs from 0 up to its extent.
pub fn axis_facts(facts: &Facts, axes: &[(String, Expr)]) -> Facts {
    let mut res = facts.clone();
    for (axis, extent) in axes {
        let range = sym::range(extent, facts);
        let hi = if range.hi == i64::MAX { i64::MAX } else { (range.hi - 1).max(0) };
        res.set_range(axis, Range { lo: 0, hi });
        if extent.as_int().is_none() {
            res.assume_ge0(&(extent.clone() - Expr::int(1) - Expr::sym(axis)));
        }
    }
    res
}

/// The place of `at` in elements from the tensor's first: the sum of index times stride.
pub fn linear_offset(ty: &TensorType, at: &[Expr], facts: &Facts) -> Expr {
    let strides = ty.strides.as_deref().unwrap_or(&[]);
    let sum = at
        .iter()
        .zip(strides)
        .fold(Expr::int(0), |sum, (index, stride)| sum + index.clone() * stride.clone());
    sym::simplify(&sum, facts)
}

/// How a place depends on one axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lane {
    /// Not at all.
    Uniform,
    /// The next element at the next step.
    Contiguous,
    /// That many elements on at the next step.
    Strided(Expr),
    /// In no such way.
    Gather,
}

/// How `offset` depends on `axis`.
pub fn lane_access(offset: &Expr, axis: &str, facts: &Facts) -> Lane {
    match offset.linear_in(axis) {
        _ if offset.is_undefined() => Lane::Gather,
        _ if !offset.symbols().iter().any(|it| &**it == axis) => Lane::Uniform,
        Some((step, _)) if sym::equal(&step, &Expr::int(1), facts) == Answer::Proven => {
            Lane::Contiguous
        }
        Some((step, _)) => Lane::Strided(step),
        None => Lane::Gather,
    }
}

/// The dtype of a complex dtype's parts; of others it is the dtype itself.
pub fn part_dtype(dtype: DType) -> DType {
    dtype.part().unwrap_or(dtype)
}

/// The memory of a complex tensor as kernels see it: its parts are a last dimension of 2.
pub fn parts_type(ty: &TensorType) -> TensorType {
    let two = Expr::int(2);
    let shape = ty.shape.iter().cloned().chain([two.clone()]).collect();
    let strides = ty.strides.as_ref().map(|strides| {
        let wide = strides.iter().map(|it| it.clone() * two.clone());
        wide.chain([Expr::int(1)]).collect()
    });
    TensorType { dtype: part_dtype(ty.dtype), shape, strides }
}

/// [`lane_access`] of lanes that stay within a block of `block` steps of the axis, where blocks
/// start at its multiples (1 says nothing): a quotient or remainder by a multiple of `block` is
/// then one number for all lanes, or steps with them.
pub fn block_access(offset: &Expr, axis: &str, block: i64, facts: &Facts) -> Lane {
    let plain = lane_access(offset, axis, facts);
    if plain != Lane::Gather || block <= 1 {
        return plain;
    }
    // Names that no axis and no symbol of a model has.
    let (outer, inner) = ("block_", "in_block_");
    let range = facts.range_of_sym(axis);
    let mut facts = facts.clone();
    facts.set_range(inner, Range { lo: 0, hi: block - 1 });
    let last = if range.hi == i64::MAX { i64::MAX } else { range.hi / block };
    facts.set_range(outer, Range { lo: 0, hi: last });
    let place = Expr::sym(outer) * Expr::int(block) + Expr::sym(inner);
    let in_block = offset.subst(&|it| (it == axis).then(|| place.clone()));
    match lane_access(&sym::simplify(&in_block, &facts), inner, &facts) {
        // A step that differs from block to block has no text.
        Lane::Strided(step) if step.mentions(outer) => Lane::Gather,
        it => it,
    }
}

/// The symbols that a kernel takes: those its types and expressions mention, without the axes that
/// it and the loops in it run over, and without dynamic indices.
pub fn free_symbols(body: &Body, op: &Op) -> BTreeSet<String> {
    let mut res = BTreeSet::new();
    op.operands().for_each(|it| body.ty(it).for_each_expr(&mut |it| note(&mut res, it)));
    walk(body, op, &mut res);
    res
}

fn note(names: &mut BTreeSet<String>, it: &Expr) {
    it.for_each_symbol(&mut |it| {
        if !names.contains(it) {
            names.insert(it.to_owned());
        }
    });
}

/// Adds the free symbols of an op and its regions, without the types of its operands.
fn walk(body: &Body, op: &Op, free: &mut BTreeSet<String>) {
    let mut own = BTreeSet::new();
    op.attrs.iter().for_each(|it| it.for_each_expr(&mut |it| note(&mut own, it)));
    if op.def.0.attrs.iter().any(|it| it.name == "at") {
        // The places of a load or store, the only attribute of theirs that has expressions.
        own.retain(|it| dynamic_index(it).is_none());
    }
    free.extend(own);
    op.results().for_each(|it| body.ty(it).for_each_expr(&mut |it| note(free, it)));
    let mut inner = BTreeSet::new();
    for region in &op.regions {
        region.params.iter().for_each(|it| body.ty(*it).for_each_expr(&mut |it| note(free, it)));
        region.ops.iter().for_each(|it| walk(body, it, &mut inner));
    }
    let axes = axes(op);
    free.extend(inner.into_iter().filter(|it| !axes.iter().any(|axis| axis == it)));
}

/// Which dynamic index a symbol in the place of a load or store stands for: `d0` is the first.
pub fn dynamic_index(symbol: &str) -> Option<usize> {
    let digits = symbol.strip_prefix('d')?;
    digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The axes that the regions of an op run over.
fn axes(op: &Op) -> Vec<&str> {
    let mut res = Vec::new();
    let mut has_own = false;
    for (def, attr) in op.def.0.attrs.iter().zip(&op.attrs) {
        match (def.name, attr) {
            ("axis", Attr::Str(it)) => res.push(it.as_str()),
            ("axes", Attr::List(it)) => res.extend(it.iter().filter_map(|it| match it {
                Attr::Str(it) => Some(it.as_str()),
                _ => None,
            })),
            _ => continue,
        }
        has_own = true;
    }
    // An epilogue.
    if !has_own { vec!["b", "m", "n"] } else { res }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(offset: &str, block: i64) -> Lane {
        let axes = [("n".to_owned(), Expr::int(64)), ("m".to_owned(), Expr::sym("s0"))];
        let facts = axis_facts(&Facts::default(), &axes);
        let offset = sym::parse(offset).expect("the test's own text");
        block_access(&sym::simplify(&offset, &facts), "n", block, &facts)
    }

    #[test]
    fn quotients_and_remainders_within_a_block() {
        assert_eq!(access("Mod(n, 32)", 16), Lane::Contiguous);
        assert_eq!(access("n//32 + 7*m", 16), Lane::Uniform);
        assert_eq!(access("5*Mod(n, 16) + m", 16), Lane::Strided(Expr::int(5)));
        assert_eq!(access("64*Mod(n//32, 2) + 2*Mod(n, 32)", 16), Lane::Strided(Expr::int(2)));
        // The blocks cut across these.
        assert_eq!(access("Mod(n, 8)", 16), Lane::Gather);
        assert_eq!(access("n//8", 16), Lane::Gather);
        assert_eq!(access("Mod(n, 24)", 16), Lane::Gather);
        assert_eq!(access("Mod(n, 2) + n//4", 16), Lane::Gather);
        // Nothing is known of the lanes.
        assert_eq!(access("Mod(n, 32)", 1), Lane::Gather);
        assert_eq!(access("n", 1), Lane::Contiguous);
    }
}
