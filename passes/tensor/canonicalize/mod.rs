//! `canonicalize`: one way to say what can be said in several.
//!
//! Later passes look at what made an operand; the fewer forms there are, the less they look for.
//! So movements merge into one, constants are one `full` on the right-hand side, and what changes
//! nothing is gone.
//!
//! Every rule is exact: no bit of a result changes, but for the payload of a NaN. That rules out
//! much that holds for real numbers: `x + 0.0` is not `x` where `x` is `-0.0`, but `x - 0.0` is.

mod arithmetic;
mod constants;
mod movement;

use diag::Diag;
use ir::scalar::ScalarFn;
use pass::{
    PassCx, PassDef, Unit, per_function,
    rules::{Root, Rule, apply_rules},
};
use tensor::{
    Cast, Concat, Expand, Flip, Full, Literal, Pad, Permute, Reduce, Reshape, Size, Slice,
    pointwise_def,
};

use self::{arithmetic::*, constants::*, movement::*};

/// Rewrites by local rules until none applies.
pub(crate) static CANONICALIZE: PassDef = PassDef {
    rules: RULES,
    ..PassDef::new(
        "canonicalize",
        "Says in one way what can be said in several.",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    per_function(unit, |it| apply_rules(it, RULES, cx))
}

macro_rules! rules {
    ($($name:literal: [$($root:ident)+] => $apply:path;)+) => {
        &[$(Rule { name: $name, root: rules!(@root $($root)+), apply: $apply }),+]
    };
    (@root any) => { Root::Any };
    (@root scalar $Fn:ident) => { Root::Op(|| pointwise_def(ScalarFn::$Fn)) };
    (@root $Op:ident) => { Root::Op($Op::def) };
}

/// Tried from the first to the last; the first that applies is taken.
static RULES: &[Rule] = rules! {
    // Movements.
    "permute-of-permute": [Permute] => permute_of_permute;
    "permute-of-units": [Permute] => permute_of_units;
    "reshape-of-reshape": [Reshape] => reshape_of_reshape;
    "reshape-to-the-same": [Reshape] => reshape_to_the_same;
    "expand-of-expand": [Expand] => expand_of_expand;
    "expand-by-units": [Expand] => expand_by_units;
    "slice-of-slice": [Slice] => slice_of_slice;
    "slice-of-concat": [Slice] => slice_of_concat;
    "flip-of-units": [Flip] => flip_of_units;
    "flip-of-flip": [Flip] => flip_of_flip;
    "pad-by-nothing": [Pad] => pad_by_nothing;
    "concat-of-one": [Concat] => concat_of_one;
    "concat-of-empty": [Concat] => concat_of_empty;
    "concat-of-concat": [Concat] => concat_of_concat;
    "reduce-of-units": [Reduce] => reduce_of_units;
    // Constants.
    "size-of-constant": [Size] => size_of_constant;
    "literal-of-equals": [Literal] => literal_of_equals;
    "full-of-other-kind": [Full] => full_of_other_kind;
    "cast-of-full": [Cast] => cast_of_full;
    "permute-of-full": [Permute] => moved_full;
    "reshape-of-full": [Reshape] => moved_full;
    "expand-of-full": [Expand] => moved_full;
    "slice-of-full": [Slice] => moved_full;
    "flip-of-full": [Flip] => moved_full;
    "constant-to-the-right": [any] => constant_to_the_right;
    // Arithmetic.
    "cast-of-cast": [Cast] => cast_of_cast;
    "add-nothing": [scalar Add] => add_nothing;
    "sub-nothing": [scalar Sub] => sub_nothing;
    "mul-by-one": [scalar Mul] => by_one;
    "div-by-one": [scalar Div] => by_one;
    "floordiv-by-one": [scalar FloorDiv] => int_by_one;
    "truncdiv-by-one": [scalar TruncDiv] => int_by_one;
    "pow-of-one": [scalar Pow] => by_one;
    "and-of-true": [scalar And] => and_of_true;
    "or-of-false": [scalar Or] => or_of_false;
    "mul-by-minus-one": [scalar Mul] => mul_by_minus_one;
    "add-of-add": [scalar Add] => add_of_add;
    "mul-of-mul": [scalar Mul] => mul_of_mul;
    "neg-of-neg": [scalar Neg] => twice;
    "not-of-not": [scalar Not] => twice;
    "abs-of-abs": [scalar Abs] => once_is_enough;
    "abs-of-neg": [scalar Abs] => abs_of_neg;
    "min-of-equals": [scalar Min] => same_operands;
    "max-of-equals": [scalar Max] => same_operands;
    "and-of-equals": [scalar And] => same_operands;
    "or-of-equals": [scalar Or] => same_operands;
    "select-by-constant": [scalar Select] => select_by_constant;
    "select-of-equals": [scalar Select] => select_of_equals;
    "select-by-not": [scalar Select] => select_by_not;
};
