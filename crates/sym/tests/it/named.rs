//! Cases that a compiler meets, by name, with the fact and without it.

use std::collections::BTreeSet;

use sym::{
    Answer, Expr, Facts, Range, divisible, equal, explain, less_equal, parse, range, rules,
    simplify,
};

fn size(text: &str) -> Expr {
    parse(text).unwrap()
}

/// Facts in lines: `i0 in 0..55`, `n >= 2`, `a == b`, `s0 mod 8 == 0`.
pub(crate) fn facts(text: &str) -> Facts {
    let mut facts = Facts::new();
    for line in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
        if let Some((name, ends)) = line.split_once(" in ") {
            let (lo, hi) = ends.split_once("..").unwrap();
            facts.set_range(name, Range { lo: lo.parse().unwrap(), hi: hi.parse().unwrap() });
        } else if let Some((name, rest)) = line.split_once(" mod ") {
            let (modulus, rest) = rest.split_once(" == ").unwrap();
            facts.assume_multiple(name, modulus.parse().unwrap(), rest.parse().unwrap());
        } else if let Some((a, b)) = line.split_once(" >= ") {
            facts.assume_le(&size(b), &size(a));
        } else if let Some((a, b)) = line.split_once(" <= ") {
            facts.assume_le(&size(a), &size(b));
        } else if let Some((a, b)) = line.split_once(" == ") {
            facts.assume_eq(&size(a), &size(b));
        } else {
            panic!("{line}");
        }
    }
    facts
}

#[track_caller]
fn check(known: &str, before: &str, after: &str) {
    assert_eq!(simplify(&size(before), &facts(known)).to_string(), after, "{before} | {known}");
}

const LOOPS: &str = "s0 >= 2; s1 >= 2; i0 >= 0; i1 >= 0; i0 <= s1 - 1; i1 <= s0 - 1";

#[test]
fn constant_loops() {
    check("i1 in 0..55", "(i0*56 + i1)//56", "i0");
    check("i1 in 0..55", "Mod(i0*56 + i1, 56)", "i1");
    check("i1 in 0..56", "Mod(i0*56 + i1, 56)", "Mod(i1, 56)");
    check("i1 in 0..63", "Mod(i0*64 + i1, 64)", "i1");
    check("i1 in 0..7", "(8*i0 + i1)//56", "i0//7");
    check("i1 in 0..7", "Mod(8*i0 + i1, 56) - i1", "8*Mod(i0, 7)");
    check("i1 in 1..8", "(8*i0 + i1 - 1)//56", "i0//7");
    check("i0 in 0..6; i1 in 0..7", "(8*i0 + i1)//56", "0");
    check("i0 in 0..6; i1 in 0..7", "Mod(8*i0 + i1, 56)", "8*i0 + i1");
    check("i0 in 0..6; i1 in 0..7", "Mod((8*i0 + i1)//8, 7)", "i0");
    check("", "(i0//7)*7 + Mod(i0, 7)", "i0");
    check("", "i0 - 7*(i0//7)", "Mod(i0, 7)");
}

#[test]
fn symbolic_loops() {
    check(LOOPS, "(i0*s0 + i1)//s0", "i0");
    check(LOOPS, "Mod(i0*s0 + i1, s0)", "i1");
    check(LOOPS, "(i0*s0 + i1)//(s0*s1)", "0");
    check(LOOPS, "Mod(i0*s0 + i1, s0*s1)", "i0*s0 + i1");
    check(LOOPS, "(i2*s0*s1 + i0*s0 + i1)//(s0*s1)", "i2");
    check(LOOPS, "Mod((i2*s0*s1 + i0*s0 + i1)//s0, s1)", "i0");
    check(LOOPS, "(i2*s0 + i1)//(s0*s1)", "i2//s1");
    check(LOOPS, "(i0*(s0 + 1) + i1)//(s0 + 1)", "i0");
    check(LOOPS, "Mod(i0*(s0 + 1) + i1, s0 + 1)", "i1");
    check(LOOPS, "(4*i0*s0 + 4*i1 + 3)//(4*s0)", "i0");
    check("", "(i0*s0 + i1)//s0", "(i0*s0 + i1)//s0");
    check("s0 >= 1", "(i0*s0 + i1)//s0", "i0 + i1//s0");
    check("s0 >= 1", "s0*i0//s0", "i0");
    check("s0 >= 1", "Mod(s0*i0, s0)", "0");
    check("", "s0*i0//s0", "(i0*s0)//s0");
}

#[test]
fn alignment() {
    check("s0 mod 8 == 0", "(s0//8)*8", "s0");
    check("s0 mod 8 == 0", "Mod(s0 + 3, 8)", "3");
    check("s0 mod 8 == 0; i in 0..7", "(s0 + i)//8", "s0//8");
    check("s0 mod 16 == 4", "Mod(s0 + i, 8)", "Mod(i + 4, 8)");
    check("s0 mod 8 == 0", "8*((s0 + 7)//8) - s0", "0");
}

#[test]
fn extrema() {
    check("s0 >= 1", "Max(1, s0)", "s0");
    check("s0 >= 0", "Max(0, s0 - 1)", "Max(0, s0 - 1)");
    check("a <= b", "Max(a, b) + Min(a, b)", "a + b");
    check("", "Max(a, a + 1, 3)", "Max(3, a + 1)");
    check("a in 4..9", "Min(a, 2)", "2");
    check("a in -9..-1", "Abs(a)", "-1*a");
    check("s0 >= 0", "Min(s0, s0//2)", "s0//2");
}

#[test]
fn equalities() {
    check("s1 == s0", "s1 - s0 + 1", "1");
    check("s0 == 2*s1", "s0 - 2*s1", "0");
    check("s0 in 4..4", "s0*s1", "4*s1");
    check("a == 7", "a + b", "b + 7");
    assert_eq!(equal(&size("s0*2"), &size("s0 + s1"), &facts("s0 == s1")), Answer::Proven);
    assert_eq!(equal(&size("2*a"), &size("2*b + 1"), &Facts::new()), Answer::Refuted);
    assert_eq!(equal(&size("a"), &size("b"), &Facts::new()), Answer::Unknown);
    assert_eq!(equal(&size("a"), &size("b"), &facts("a <= b - 1")), Answer::Refuted);
    assert_eq!(equal(&size("a"), &size("b"), &facts("a <= b; b <= a")), Answer::Proven);
    let padded = size("a + Mod(-a, 8)");
    assert_eq!(equal(&padded, &size("8*((a + 7)//8)"), &Facts::new()), Answer::Proven);
    let quotient = size("a - 8*(a//8)");
    assert_eq!(equal(&quotient, &size("Mod(a, 8)"), &Facts::new()), Answer::Proven);
}

#[test]
fn inequalities() {
    let positive = facts("s0 >= 1; s1 >= 1");
    assert_eq!(less_equal(&size("s0"), &size("s0*s1"), &positive), Answer::Proven);
    assert_eq!(less_equal(&size("2*(s0//2)"), &size("s0"), &Facts::new()), Answer::Proven);
    assert_eq!(less_equal(&size("s0 + 1"), &size("s0"), &Facts::new()), Answer::Refuted);
    assert_eq!(less_equal(&size("a"), &size("Max(a, b)"), &Facts::new()), Answer::Proven);
    let padded = size("s0*s1 + s1*Mod(-s0, 8)");
    assert_eq!(less_equal(&padded, &size("8*s1*((s0 + 7)//8)"), &positive), Answer::Proven);
    assert_eq!(less_equal(&size("8*s1*((s0 + 7)//8)"), &padded, &positive), Answer::Proven);
    // The largest of sums of largest ones, on both sides.
    let nested = size("8*s0*s1 + Max(3*s0*s1, 4*((s0**2*s1 + 3)//4) + Max(s0, 2*s1))");
    let of_it = size("s1 + Max(11*s0*s1, s0 + 4*((s0**2*s1 + 3)//4) + 7*s0*s1)");
    assert_eq!(less_equal(&of_it, &(nested.clone() + size("s1")), &positive), Answer::Proven);
    assert_eq!(less_equal(&nested, &of_it, &positive), Answer::Unknown);
    assert_eq!(less_equal(&size("a"), &size("b"), &Facts::new()), Answer::Unknown);
    let index = less_equal(&size("i0*s0 + i1"), &size("s0*s1 - 1"), &facts(LOOPS));
    assert_eq!(index, Answer::Proven);
}

#[test]
fn multiples() {
    let eight = Expr::int(8);
    assert_eq!(divisible(&size("s0"), &eight, &facts("s0 mod 16 == 8")), Answer::Proven);
    assert_eq!(divisible(&size("s0"), &eight, &facts("s0 mod 16 == 4")), Answer::Refuted);
    assert_eq!(divisible(&size("s0"), &eight, &facts("s0 mod 4 == 0")), Answer::Unknown);
    assert_eq!(divisible(&size("4*s0 + 2"), &eight, &Facts::new()), Answer::Refuted);
    assert_eq!(divisible(&size("s0*s1"), &size("s0"), &facts("s0 >= 1")), Answer::Proven);
    assert_eq!(divisible(&size("s0*s1"), &size("s0"), &Facts::new()), Answer::Unknown);
    assert_eq!(divisible(&size("s0"), &Expr::int(0), &Facts::new()), Answer::Unknown);
}

#[test]
fn ranges() {
    let known = facts("a in -3..5; n >= 1");
    let of = |text: &str| range(&size(text), &known);
    assert_eq!(of("2*a + 1"), Range { lo: -5, hi: 11 });
    assert_eq!(of("a*a"), Range { lo: 0, hi: 25 });
    assert_eq!(of("a//2"), Range { lo: -2, hi: 2 });
    assert_eq!(of("Mod(a, 4)"), Range { lo: 0, hi: 3 });
    assert_eq!(of("a//n"), Range { lo: -3, hi: 5 });
    assert_eq!(of("n + 1"), Range::at_least(2));
    assert_eq!(of("n*n"), Range::at_least(1));
    assert_eq!(of("Abs(a)"), Range { lo: 0, hi: 5 });
}

/// What only the e-graph finds, with the fact and without it.
#[test]
fn lattices_and_nested_quotients() {
    check("", "Max(a, b) + Min(a, b)", "a + b");
    check("", "Max(a + c, b + c) - Max(a, b)", "c");
    check("", "Max(3*a, 3*b) - Max(a, b)", "2*Max(a, b)");
    check("t >= 1", "Max(a//t, b//t)", "Max(a, b)//t");
    check("", "Max(a//t, b//t)", "Max(a//t, b//t)");
    check("t >= 1; u >= 1", "Mod(a, t*u)//t", "Mod(a//t, u)");
    check("t >= 1", "Mod(a, t*u)//t", "Mod(a, t*u)//t");
    check("t >= 1; u >= 1", "Mod(Mod(a, t*u), t)", "Mod(a, t)");
    check("", "Mod(Mod(a, t*u), t)", "Mod(Mod(a, t*u), t)");
}

#[test]
fn relations() {
    check("s0 >= 2", "Le(1, s0)", "1");
    check("s0 >= 2", "Eq(s0, 1)", "0");
    check("s0 mod 4 == 1", "Eq(Mod(s0, 2), 0)", "0");
    check("a <= b", "Where(Le(a, b), s0, s1)", "s0");
    check("a in 0..100", "FloorToInt(IntTrueDiv(a, 8))", "a//8");
    check("a in 0..100", "CeilToInt(IntTrueDiv(a, 8))", "(a + 7)//8");
    check("a >= 0", "FloorToInt(IntTrueDiv(a, 8))", "FloorToInt(IntTrueDiv(a, 8))");
}

#[test]
fn assumed_truths() {
    let mut known = Facts::new();
    for truth in ["And(Le(2, s0), Le(s0, s1))", "Eq(Mod(s2, 8), 0)", "Not(Eq(s0, 2))"] {
        known.assume(&size(truth));
    }
    assert_eq!(range(&size("s0"), &known), Range::at_least(3));
    assert_eq!(less_equal(&size("s0"), &size("s1"), &known), Answer::Proven);
    assert_eq!(divisible(&size("s2"), &Expr::int(4), &known), Answer::Proven);
}

#[test]
fn explanations_name_the_rules() {
    let steps = |known: &str, text: &str| explain(&size(text), &facts(known)).join(", ");
    assert_eq!(steps("i1 in 0..55", "Mod(i0*56 + i1, 56)"), "mod-split");
    assert_eq!(steps("t >= 1; u >= 1", "Mod(a, t*u)//t"), "div-of-mod");
    assert_eq!(steps("", "s0//8"), "");
}

/// `(rule, facts, size)`: a size that needs the rule under the facts.
const NEEDED: &[(&str, &str, &str)] = &[
    ("point-range", "s0 in 4..4", "s0*s1"),
    ("solved-symbol", "s0 == s1", "s0 - s1"),
    ("div-point", "a in 16..20", "a//8"),
    ("div-split", "s0 >= 1; i >= 0; i <= s0 - 1", "(s0*a + i)//s0"),
    ("div-by-part", "i in 0..7", "(8*s0 + i)//56"),
    ("div-of-multiple", "s0 mod 8 == 0; i in 0..7", "(s0 + i)//8"),
    ("div-of-remainder", "", "(s0 + Mod(-s0, 8))//8"),
    ("div-of-remainder", "s0 >= 1", "(s0 + Mod(-s0, 8))//((s0 + 7)//8)"),
    ("div-add-mul", "s0 >= 1", "(s0*a + b)//s0"),
    ("mod-known", "s0 mod 8 == 3", "Mod(s0, 4)"),
    ("mod-split", "i in 0..7", "Mod(8*s0 + i, 8)"),
    ("mod-by-part", "i in 0..7", "Mod(8*s0 + i, 56) - i"),
    ("mod-of-multiple", "s0 mod 8 == 3", "Mod(s0 + a, 8)"),
    ("mod-add-mul", "s0 >= 1", "Mod(s0*a + b, s0)"),
    ("mod-as-difference", "", "a + b - Mod(a + b, 8)"),
    ("div-as-difference", "", "a - 8*(a//8)"),
    ("max-dominated", "a <= b", "Max(a, b)"),
    ("min-dominated", "a <= b", "Min(a, b)"),
    ("abs-nonnegative", "a >= 0", "Abs(a)"),
    ("abs-nonpositive", "a <= 0", "Abs(a)"),
    ("le-holds", "a >= 3", "Le(2, a)"),
    ("le-fails", "a >= 3", "Le(a, 2)"),
    ("eq-holds", "a <= b; b <= a", "Eq(a, b)"),
    ("eq-fails", "a >= 3", "Eq(a, 2)"),
    ("round-integer", "a in 0..9", "FloorToInt(ToFloat(a))"),
    ("floor-quotient", "a in 0..9", "FloorToInt(IntTrueDiv(a, 2))"),
    ("ceil-quotient", "a in 0..9", "CeilToInt(IntTrueDiv(a, 2))"),
    ("trunc-quotient", "a in 0..9", "TruncToInt(IntTrueDiv(a, 2))"),
    ("add-comm", "", "Max(a, b) + Min(a, b)"),
    ("add-assoc", "", "Max(a, b) + Min(a, b) + c"),
    ("mul-comm", "A >= 1", "Max(A*t, A*u)//A"),
    ("mul-assoc", "", "c*Max(a, b)*Min(a, b)"),
    ("add-zero", "t >= 1", "Mod(Max(a*t, b*t), t) + c"),
    ("mul-one", "t >= 2", "c*Mod(Max(a*t, b*t) + 1, t)"),
    ("div-mul", "t >= 1", "Max(a*t, b*t)//t"),
    ("div-add-mul", "t >= 1", "(Max(a*t, b*t) + c)//t"),
    ("div-cancel", "t >= 1; u >= 1", "Max(a*t, b*t)//(t*u)"),
    ("mod-mul", "t >= 1", "Mod(Max(a*t, b*t), t)"),
    ("mod-add-mul", "t >= 1", "Mod(Max(a*t, b*t) + c, t)"),
    ("mod-cancel", "t >= 1; u >= 1", "Mod(Max(a*t, b*t), t*u)"),
    ("mod-mod", "t >= 1; u >= 1", "Mod(Mod(a, t*u), t)"),
    ("mod-add-mod", "t >= 1", "Mod(Mod(a, t) + b, t)"),
    ("div-of-mod", "t >= 1; u >= 1", "Mod(a, t*u)//t"),
    ("div-mod", "t >= 1", "t*(Max(a + c, b + c)//t) + Mod(Max(a, b) + c, t)"),
    ("sub-mod", "t >= 1", "Max(a + c, b + c) - Mod(Max(a, b) + c, t)"),
    ("sub-div", "t >= 1", "Max(a + c, b + c) - t*((Max(a, b) + c)//t)"),
    ("max-comm", "", "Min(Max(a, b), Max(b, c))"),
    ("min-comm", "", "Max(Min(a, b), Min(b, c))"),
    ("max-assoc", "", "Max(a + d, b + d, c) + Mod(c, 2)"),
    ("min-assoc", "", "Min(a + d, b + d, c) + Mod(c, 2)"),
    ("max-of-min", "", "Max(Min(a, b), Min(a, c))"),
    ("min-of-max", "", "Min(Max(a, b), Max(a, c))"),
    ("max-add-min", "", "Max(a, b) + Min(a, b)"),
    ("max-mul-min", "", "Max(a, b)*Min(a, b)"),
    ("max-add", "", "Max(a + c, b + c) - Max(a, b)"),
    ("min-add", "", "Min(a + c, b + c) - Min(a, b)"),
    ("max-neg", "", "Max(-a, -b) + Min(a, b)"),
    ("min-neg", "", "Min(-a, -b) + Max(a, b)"),
    ("max-mul", "t >= 0", "Max(a*t, b*t) + Mod(c, 2)"),
    ("min-mul", "t >= 0", "Min(a*t, b*t) + Mod(c, 2)"),
    ("max-div", "t >= 1", "Max(a//t, b//t)"),
    ("min-div", "t >= 1", "Min(a//t, b//t)"),
];

#[test]
fn every_rule_is_needed() {
    let mut missing = Vec::new();
    for (rule, known, text) in NEEDED {
        let steps = explain(&size(text), &facts(known));
        if !steps.iter().any(|it| it.trim_start_matches("reverse ") == *rule) {
            missing.push(format!("{rule}: {text} took {steps:?}"));
        }
    }
    let named: BTreeSet<&str> = NEEDED.iter().map(|it| it.0).collect();
    missing.extend(
        rules().iter().filter(|it| !named.contains(it.0)).map(|it| format!("no case: {}", it.0)),
    );
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Facts that contradict each other prove anything, but break nothing.
#[test]
fn contradictions() {
    let known = facts("a >= 5; a <= 3; b <= c - 1; c <= b - 1; s mod 2 == 0; s mod 4 == 1");
    for text in ["Max(a, b)//c + Mod(a, 4)", "Mod(s, 8)", "(a*b + c)//b - Min(b, c)"] {
        let expr = size(text);
        assert!(simplify(&expr, &known).cost() <= expr.cost());
    }
}
