//! The rules, one per operator, a file per family.

mod activation;
mod arith;
mod backward;
mod bag;
mod compare;
mod complex;
mod conv;
mod create;
mod data;
mod deform;
mod einsum;
mod fourier;
mod gradient;
mod grouped;
mod hash;
mod histogram;
mod index;
mod join;
mod linalg;
mod loss;
mod matmul;
mod matrix;
mod norm;
mod pool;
mod quantize;
mod reduce;
mod rnn;
mod segment;
mod sort;
mod special;
mod unary;
mod unique;
mod upsample;
mod view;
mod vision;
mod window;

use std::sync::OnceLock;

use super::Rule;

/// Declares the rules of a file: `"name" | "name" => function`.
macro_rules! rules {
    ($($($op:literal)|+ => $apply:expr),+ $(,)?) => {
        pub(super) const RULES: &[$crate::decompose::Rule] =
            &[$($($crate::decompose::Rule { op: $op, apply: $apply }),+),+];
    };
}
use rules;

pub(super) use complex::functions::apply as complex_function;

const FAMILIES: &[&[Rule]] = &[
    activation::RULES,
    arith::RULES,
    backward::RULES,
    bag::RULES,
    compare::RULES,
    complex::RULES,
    conv::RULES,
    create::RULES,
    data::RULES,
    deform::RULES,
    einsum::RULES,
    fourier::RULES,
    gradient::RULES,
    grouped::RULES,
    hash::RULES,
    histogram::RULES,
    index::RULES,
    join::RULES,
    linalg::RULES,
    loss::RULES,
    matmul::RULES,
    matrix::RULES,
    norm::RULES,
    pool::RULES,
    quantize::RULES,
    reduce::RULES,
    rnn::RULES,
    segment::RULES,
    sort::RULES,
    special::RULES,
    unary::RULES,
    unique::RULES,
    upsample::RULES,
    view::RULES,
    vision::RULES,
    window::RULES,
];

/// Every rule, sorted by operator.
pub(super) fn table() -> &'static [Rule] {
    static TABLE: OnceLock<Vec<Rule>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut res: Vec<Rule> = FAMILIES.iter().copied().flatten().copied().collect();
        res.sort_by_key(|it| it.op);
        res
    })
}

/// The rule for an operator.
pub(super) fn find(op: &str) -> Option<Rule> {
    let table = table();
    table.binary_search_by(|it| it.op.cmp(op)).ok().map(|it| table[it])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_for_an_operator_and_the_only_one() {
        for it in table() {
            assert!(aten::lookup(it.op).is_some(), "{} has no schema", it.op);
        }
        for pair in table().windows(2) {
            assert_ne!(pair[0].op, pair[1].op);
        }
    }
}
