//! Random sizes, the facts they live under, and the points where those hold.

use proptest::prelude::*;
use sym::{Expr, Facts, Range};

/// `(name, least, greatest)`: the symbols of the samples.
pub(crate) const SYMBOLS: [(&str, i64, i64); 8] = [
    ("a", -6, 6),
    ("b", i64::MIN, i64::MAX),
    ("c", 0, 7),
    ("i", 0, 4),
    ("j", 0, 3),
    ("k", 3, 23),
    ("m", 1, 4),
    ("n", 1, 5),
];

/// One value for each of [`SYMBOLS`].
pub(crate) type Point = [i64; 8];

/// `i < n`, `j < m`, `k` is 3 more than a multiple of 4, and the ranges.
pub(crate) fn facts() -> Facts {
    let mut facts = Facts::new();
    for (name, lo, hi) in SYMBOLS {
        // That of `m` has no upper end, as sizes of archives have none.
        facts.set_range(name, Range { lo, hi: if name == "m" { i64::MAX } else { hi } });
    }
    facts.assume_le(&(Expr::sym("i") + 1), &Expr::sym("n"));
    facts.assume_le(&(Expr::sym("j") + 1), &Expr::sym("m"));
    facts.assume_multiple("k", 4, 3);
    facts
}

pub(crate) fn value_at(point: &Point, name: &str) -> Option<i64> {
    SYMBOLS.iter().position(|it| it.0 == name).map(|at| point[at])
}

/// A point where [`facts`] hold.
pub(crate) fn point() -> impl Strategy<Value = Point> {
    let size = (1..=5i64, 1..=4i64).prop_flat_map(|(n, m)| (Just(n), Just(m), 0..n, 0..m));
    (size, -6..=6i64, -9..=9i64, 0..=7i64, 0..=5i64)
        .prop_map(|((n, m, i, j), a, b, c, k)| [a, b, c, i, j, 4 * k + 3, m, n])
}

/// Sizes over integers only.
pub(crate) fn size() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        3 => prop::sample::select(&SYMBOLS[..]).prop_map(|it| Expr::sym(it.0)),
        1 => (-9..=9i64).prop_map(Expr::int),
        1 => prop::sample::select(vec![2i64, 4, 8, 12, 56, 64]).prop_map(Expr::int),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            4 => two().prop_map(|(a, b)| a + b),
            2 => two().prop_map(|(a, b)| a - b),
            4 => two().prop_map(|(a, b)| a * b),
            4 => two().prop_map(|(a, b)| a.floor_div(&b)),
            4 => two().prop_map(|(a, b)| a.modulo(&b)),
            1 => two().prop_map(|(a, b)| a.ceil_div(&b)),
            2 => two().prop_map(|(a, b)| a.min(b)),
            2 => two().prop_map(|(a, b)| a.max(b)),
            1 => inner.clone().prop_map(|a| a.abs()),
            1 => two().prop_map(|(a, b)| a.bit_and(&b)),
            1 => two().prop_map(|(a, b)| a.bit_or(&b)),
            1 => (inner.clone(), 0..=5i64).prop_map(|(a, b)| a.pow_by_natural(&b.into())),
            1 => inner.clone().prop_map(|a| Expr::int(2).pow_by_natural(&a)),
            1 => (inner.clone(), 0..=3i64).prop_map(|(a, b)| a.shr(&b.into())),
            1 => two().prop_map(|(a, b)| a.at_most(&b)),
            1 => two().prop_map(|(a, b)| a.equals(&b)),
            1 => two().prop_map(|(a, b)| Expr::all_of([&a, &b])),
            1 => two().prop_map(|(a, b)| Expr::any_of([&a, &b])),
            1 => inner.clone().prop_map(|a| a.logical_not()),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| Expr::select(&c, &a, &b)),
            1 => (two(), two()).prop_map(|((a, b), (c, d))| Expr::dense(&[a, b], &[c, d])),
        ]
    })
}

/// Indices as loops make them: digits in mixed bases, split and joined again.
pub(crate) fn index() -> impl Strategy<Value = Expr> {
    let base = prop_oneof![
        Just(Expr::sym("m")),
        Just(Expr::sym("n")),
        Just(Expr::sym("n") * Expr::sym("m")),
        Just(Expr::sym("n") + 1),
        prop::sample::select(vec![2i64, 4, 7, 8, 56, 64]).prop_map(Expr::int),
        Just(Expr::sym("n") * 8),
    ];
    let leaf = prop::sample::select(&["i", "j", "c", "a", "k"][..]).prop_map(Expr::sym);
    leaf.prop_recursive(4, 12, 2, move |inner| {
        let (digit, base) = (inner.clone(), base.clone());
        prop_oneof![
            4 => (inner, base.clone(), digit).prop_map(|(a, b, c)| a * b + c),
            2 => (base.clone(), prop::sample::select(&["i", "j", "c"][..]), prop::bool::ANY)
                .prop_map(|(a, b, up)| if up { a + Expr::sym(b) } else { a - Expr::sym(b) }),
        ]
        .prop_flat_map(move |it| {
            (Just(it), base.clone(), 0..3).prop_map(|(a, b, how)| match how {
                0 => a,
                1 => a.floor_div(&b),
                _ => a.modulo(&b),
            })
        })
    })
}

/// The value, where there is one.
pub(crate) fn value(expr: &Expr, point: &Point) -> Option<i64> {
    expr.eval(&|name| value_at(point, name)).ok()
}
