//! The rules of the e-graph, as data.
//!
//! `x/0` is an arbitrary integer: a rule that could divide by zero on one side only needs a guard,
//! and a guard asks the range of a class for a proof. The tests hold every row to that.

use crate::range::Range;

/// What must be proven of a pattern variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    Positive,
    Nonnegative,
    Nonzero,
}

impl Guard {
    pub(super) fn proven_by(self, range: Range) -> bool {
        match self {
            Guard::Positive => 0 < range.lo,
            Guard::Nonnegative => 0 <= range.lo,
            Guard::Nonzero => 0 < range.lo || range.hi < 0,
        }
    }
}

/// A rewrite of what the left pattern matches, where the guards are proven.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) left: &'static str,
    pub(super) right: &'static str,
    pub(super) guards: &'static [(&'static str, Guard)],
}

const fn rule(
    name: &'static str,
    left: &'static str,
    right: &'static str,
    guards: &'static [(&'static str, Guard)],
) -> Rule {
    Rule { name, left, right, guards }
}

const B_NONZERO: &[(&str, Guard)] = &[("?b", Guard::Nonzero)];
const BC_NONZERO: &[(&str, Guard)] = &[("?b", Guard::Nonzero), ("?c", Guard::Nonzero)];
const B_NONZERO_C_POSITIVE: &[(&str, Guard)] = &[("?b", Guard::Nonzero), ("?c", Guard::Positive)];
const C_NONNEGATIVE: &[(&str, Guard)] = &[("?c", Guard::Nonnegative)];
const C_POSITIVE: &[(&str, Guard)] = &[("?c", Guard::Positive)];

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    // What a sum of products knows and a tree of nodes does not.
    rule("add-comm",      "(+ ?a ?b)",                              "(+ ?b ?a)",                    &[]),
    rule("add-assoc",     "(+ (+ ?a ?b) ?c)",                       "(+ ?a (+ ?b ?c))",             &[]),
    rule("mul-comm",      "(* ?a ?b)",                              "(* ?b ?a)",                    &[]),
    rule("mul-assoc",     "(* (* ?a ?b) ?c)",                       "(* ?a (* ?b ?c))",             &[]),
    rule("add-zero",      "(+ ?a 0)",                               "?a",                           &[]),
    rule("mul-one",       "(* ?a 1)",                               "?a",                           &[]),

    // Quotients and remainders.
    rule("div-mul",       "(div (* ?a ?b) ?b)",                     "?a",                           B_NONZERO),
    rule("div-add-mul",   "(div (+ (* ?a ?b) ?c) ?b)",              "(+ ?a (div ?c ?b))",           B_NONZERO),
    rule("div-cancel",    "(div (* ?a ?c) (* ?b ?c))",              "(div ?a ?b)",                  BC_NONZERO),
    rule("mod-mul",       "(mod (* ?a ?b) ?b)",                     "0",                            B_NONZERO),
    rule("mod-add-mul",   "(mod (+ (* ?a ?b) ?c) ?b)",              "(mod ?c ?b)",                  &[]),
    rule("mod-cancel",    "(mod (* ?a ?c) (* ?b ?c))",              "(* (mod ?a ?b) ?c)",           BC_NONZERO),
    rule("mod-mod",       "(mod (mod ?a (* ?b ?c)) ?b)",            "(mod ?a ?b)",                  BC_NONZERO),
    rule("mod-add-mod",   "(mod (+ (mod ?a ?b) ?c) ?b)",            "(mod (+ ?a ?c) ?b)",           B_NONZERO),
    rule("div-of-mod",    "(div (mod ?a (* ?b ?c)) ?b)",            "(mod (div ?a ?b) ?c)",         B_NONZERO_C_POSITIVE),
    rule("div-mod",       "(+ (* (div ?a ?b) ?b) (mod ?a ?b))",     "?a",                           B_NONZERO),
    rule("sub-mod",       "(+ ?a (* -1 (mod ?a ?b)))",              "(* (div ?a ?b) ?b)",           B_NONZERO),
    rule("sub-div",       "(+ ?a (* -1 (* (div ?a ?b) ?b)))",       "(mod ?a ?b)",                  B_NONZERO),

    // Minima and maxima.
    rule("max-comm",      "(max ?a ?b)",                            "(max ?b ?a)",                  &[]),
    rule("min-comm",      "(min ?a ?b)",                            "(min ?b ?a)",                  &[]),
    rule("max-assoc",     "(max (max ?a ?b) ?c)",                   "(max ?a (max ?b ?c))",         &[]),
    rule("min-assoc",     "(min (min ?a ?b) ?c)",                   "(min ?a (min ?b ?c))",         &[]),
    rule("max-of-min",    "(max (min ?a ?b) (min ?a ?c))",          "(min ?a (max ?b ?c))",         &[]),
    rule("min-of-max",    "(min (max ?a ?b) (max ?a ?c))",          "(max ?a (min ?b ?c))",         &[]),
    rule("max-add-min",   "(+ (max ?a ?b) (min ?a ?b))",            "(+ ?a ?b)",                    &[]),
    rule("max-mul-min",   "(* (max ?a ?b) (min ?a ?b))",            "(* ?a ?b)",                    &[]),
    rule("max-add",       "(max (+ ?a ?c) (+ ?b ?c))",              "(+ (max ?a ?b) ?c)",           &[]),
    rule("min-add",       "(min (+ ?a ?c) (+ ?b ?c))",              "(+ (min ?a ?b) ?c)",           &[]),
    rule("max-neg",       "(max (* -1 ?a) (* -1 ?b))",              "(* -1 (min ?a ?b))",           &[]),
    rule("min-neg",       "(min (* -1 ?a) (* -1 ?b))",              "(* -1 (max ?a ?b))",           &[]),
    rule("max-mul",       "(max (* ?a ?c) (* ?b ?c))",              "(* (max ?a ?b) ?c)",           C_NONNEGATIVE),
    rule("min-mul",       "(min (* ?a ?c) (* ?b ?c))",              "(* (min ?a ?b) ?c)",           C_NONNEGATIVE),
    rule("max-div",       "(max (div ?a ?c) (div ?b ?c))",          "(div (max ?a ?b) ?c)",         C_POSITIVE),
    rule("min-div",       "(min (div ?a ?c) (div ?b ?c))",          "(div (min ?a ?b) ?c)",         C_POSITIVE),
];
