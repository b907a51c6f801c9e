//! Cases that a compiler meets, by name, with the fact and without it.

use sym::{Answer, Expr, Facts, Range, divisible, equal, less_equal, parse, range, simplify};

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
