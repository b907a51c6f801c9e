//! How a place moves as a loop goes on.

use ir::{DType, TensorType};
use loops::{Lane, axis_facts, lane_access, linear_offset};
use sym::{Expr, Facts, Range};

fn expr(text: &str) -> Expr {
    sym::parse(text).expect("the expressions of these tests parse")
}

#[test]
fn a_place_is_the_sum_of_indices_times_strides() {
    let ty = TensorType::contiguous(DType::F32, [expr("s0"), expr("4")]);
    let facts =
        axis_facts(&Facts::new(), &[("i0".to_owned(), expr("s0")), ("i1".to_owned(), expr("4"))]);
    assert_eq!(linear_offset(&ty, &[expr("i0"), expr("i1")], &facts), expr("4*i0 + i1"));
    // With the axis in range, what a reshape writes is what the memory says.
    let at = [expr("(4*i0 + i1)//4"), expr("Mod(4*i0 + i1, 4)")];
    assert_eq!(linear_offset(&ty, &at, &facts), expr("4*i0 + i1"));
}

#[test]
fn lanes_are_uniform_contiguous_strided_or_gathered() {
    let facts = axis_facts(&Facts::new(), &[("i1".to_owned(), expr("4"))]);
    let lane = |offset: &str| lane_access(&expr(offset), "i1", &facts);
    assert_eq!(lane("4*i0"), Lane::Uniform);
    assert_eq!(lane("4*i0 + i1"), Lane::Contiguous);
    assert_eq!(lane("i0 + s0*i1"), Lane::Strided(expr("s0")));
    assert_eq!(lane("i1*i1"), Lane::Gather);
    assert_eq!(lane("i1//2"), Lane::Gather);
}

#[test]
fn an_axis_stays_below_its_extent() {
    let mut facts = Facts::new();
    facts.set_range("s0", Range { lo: 1, hi: 8 });
    let facts = axis_facts(&facts, &[("i0".to_owned(), expr("s0"))]);
    assert_eq!(facts.range_of_sym("i0"), Range { lo: 0, hi: 7 });
    assert_eq!(sym::less_equal(&expr("i0 + 1"), &expr("s0"), &facts), sym::Answer::Proven);
}
