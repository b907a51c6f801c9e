//! Printed C++, by its text in a few cases and by its results in many.

use std::{fmt::Write, path::PathBuf, process::Command};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use sym::{CPP_PRELUDE, Expr, Facts, Range, parse, to_cpp};

use crate::{
    named,
    sample::{self, Point, SYMBOLS, value},
};

#[track_caller]
fn check(known: &str, text: &str, expected: &str) {
    let cpp = to_cpp(&parse(text).unwrap(), &named::facts(known), &|it| it.to_owned());
    assert_eq!(cpp, expected, "{text} | {known}");
}

#[test]
fn plain_operators_need_a_proof() {
    let small = "i in 0..99; j in 0..99; s in 1..1024";
    check(small, "i*s + j", "i*s + j");
    check(small, "3*i - 2*j - 1", "3*i - 2*j - 1");
    check(small, "-1*i + 2", "2 - i");
    check(small, "(i*s + j)//8", "(i*s + j) / 8");
    check(small, "Mod(i, s)*s", "s*(i % s)");
    check(small, "(i - j)//8", "tt_floordiv(i - j, 8)");
    check("s >= 1", "(i*s + j)//s", "tt_floordiv(tt_add(tt_mul(i, s), j), s)");
    check("i >= 0; s >= 1", "i//s", "i / s");
    check("i >= 0; s >= 1; t >= 1", "i//(s*t)", "tt_floordiv(i, tt_mul(s, t))");
    check("", "i + 1", "tt_add(i, 1)");
    check("", "-1*i", "tt_sub(0, i)");
    check("", "i**3", "tt_mul(tt_mul(i, i), i)");
    check("", "i**4", "tt_pow(i, 4)");
    check("", "Max(1, i, j)", "tt_max(tt_max(1, i), j)");
    check("", "Le(i, j)*5", "5*tt_int((i <= j))");
    check("", "-9223372036854775808", "(-9223372036854775807 - 1)");
    check(small, "64*i*s + 64*j + 8", "64*(i*s + j) + 8");
    check(small, "i*s + 3*i - i*j", "i*(s - j + 3)");
    check(small, "i*s + i*j + 4*s + 4*j", "(i + 4)*(j + s)");
    check(small, "i*s + 10*i + 8*s + 80", "(i + 8)*(s + 10)");
    check(small, "i**2 + 2*i*s + s**2", "(i + s)*(i + s)");
    check(small, "4*i**2 - 4*i*s + s**2 + 7*j", "(2*i - s)*(2*i - s) + 7*j");
    check(small, "i**2 + 2*i + 1 + (i**2 + 2*i + 2)//4", "(i + 1)*(i + 1) + (i*(i + 2) + 2) / 4");
    check(small, "i**3 + 3*i**2*j + 3*i*j**2 + j**3", "tt_pow(i + j, 3)");
    check("", "i**2 + 2*i*j + j**2", "tt_mul(tt_add(i, j), tt_add(i, j))");
    check(small, "-1*((-1*i)//s)", "tt_ceildiv(i, s)");
    check(small, "j - 3*Mod(-1*i, 8)", "j + 3*tt_mod(i, -8)");
    check(small, "Le(i + 1, j)", "tt_int((i < j))");
    check(small, "Le(i, j - 1)", "tt_int((i < j))");
    check(small, "-64*i*s - 64*i*j", "i*(-64*(j + s))");
    check("", "2*i - 2*j", "tt_mul(2, tt_sub(i, j))");
    let bounded = "i >= 0; s >= 1; t >= 1; i <= s - 1; s*t <= 1099511627776";
    check(bounded, "i*t", "i*t");
}

/// A file with one function per size, and a `main` that compares results.
fn program(cases: &[(Expr, Vec<(Point, i64)>)], facts: &Facts) -> String {
    let mut text = format!("{CPP_PRELUDE}\nextern \"C\" int printf(const char*, ...);\n");
    let names: Vec<String> = SYMBOLS.iter().map(|it| format!("tt_int {}", it.0)).collect();
    let names = names.join(", ");
    let mut main = String::new();
    for (at, (expr, points)) in cases.iter().enumerate() {
        let cpp = to_cpp(expr, facts, &|it| it.to_owned());
        writeln!(text, "// {expr}\nstatic tt_int f{at}({names}) {{ return {cpp}; }}").unwrap();
        for (point, expected) in points {
            let args: Vec<String> = point.iter().map(literal).collect();
            let (args, expected) = (args.join(", "), literal(expected));
            writeln!(main, "  check({at}, f{at}({args}), {expected});").unwrap();
        }
    }
    let check = "static int wrong = 0;\nstatic void check(int at, tt_int is, tt_int wanted) {\n  \
                 if (is != wanted) { ++wrong; printf(\"f%d is %ld, not %ld\\n\", at, is, wanted); }\n}\n";
    format!("{text}{check}int main() {{\n{main}  return wrong != 0;\n}}\n")
}

pub(crate) fn literal(value: &i64) -> String {
    match value {
        &i64::MIN => "-9223372036854775807 - 1".to_owned(),
        it => it.to_string(),
    }
}

/// C++ computes in 64 bits what evaluation computes in 128.
fn arguments_fit(expr: &Expr, point: &Point) -> bool {
    let mut fit = true;
    expr.for_each_argument(&mut |it| fit &= it.is_real() || value(it, point).is_some());
    fit
}

fn cases(runner: &mut TestRunner, count: usize) -> Vec<(Expr, Vec<(Point, i64)>)> {
    let strategy = prop_oneof![2 => sample::size(), 1 => sample::index()];
    let mut cases = Vec::new();
    while cases.len() < count {
        let expr = strategy.new_tree(runner).unwrap().current();
        let points: Vec<(Point, i64)> = (0..8)
            .map(|_| sample::point().new_tree(runner).unwrap().current())
            .filter(|it| arguments_fit(&expr, it))
            .filter_map(|it| value(&expr, &it).map(|value| (it, value)))
            .collect();
        if !points.is_empty() {
            cases.push((expr, points));
        }
    }
    cases
}

pub(crate) fn compile_and_run(name: &str, program: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(format!("{name}.cpp"));
    let binary = folder.join(name);
    std::fs::write(&source, program).unwrap();
    let compiler = Command::new("g++")
        .args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter"])
        // A random comparison may well be decided.
        .args(["-Wno-unused-function", "-Wno-tautological-compare", "-Werror"])
        .arg("-ffp-contract=off")
        .args(["-fsanitize=undefined", "-fno-sanitize-recover=all", "-o"])
        .args([&binary, &source])
        .output();
    let Ok(compiled) = compiler else {
        println!("skipped: there is no g++");
        return;
    };
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{}: {errors}", source.display());
    let run = Command::new(&binary).output().unwrap();
    let (out, errors) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}:\n{out}{errors}", source.display());
}

#[test]
fn compiled_sizes_are_evaluated_sizes() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let cases = cases(&mut runner, 400);
    compile_and_run("sizes", &program(&cases, &sample::facts()));
}

/// The same sizes at the ends of the integers, where nothing is known and where signs are.
#[test]
fn nothing_overflows_undefined() {
    let mut signs = Facts::new();
    let positive = ["m", "n"];
    for (name, ..) in SYMBOLS {
        signs.set_range(name, Range::at_least(positive.contains(&name).into()));
    }
    let (anything, nonnegative) = (
        [i64::MIN, i64::MAX, 0, -1, i64::MIN + 1, 1 << 62],
        [i64::MAX, 1, 1 << 62, 1 << 32, 3, 1 << 61],
    );
    for (name, facts, ends) in
        [("extremes", Facts::new(), anything), ("positive_extremes", signs, nonnegative)]
    {
        let mut cases = cases(&mut TestRunner::deterministic(), 150);
        for (at, (_, points)) in cases.iter_mut().enumerate() {
            // What the result should be does not matter: it is not compared.
            let extreme =
                |turn: usize| std::array::from_fn(|it| ends[(at + it * turn) % ends.len()]);
            *points = [1, 5].map(|turn| (extreme(turn), 0)).to_vec();
        }
        let text = program(&cases, &facts).replace("++wrong; printf", "if (0) printf");
        compile_and_run(name, &text);
    }
}

#[test]
fn floating_point() {
    let mut facts = Facts::new();
    facts.set_range("a", Range { lo: -6, hi: 6 });
    let texts = [
        "FloorToInt(ToFloat(a)*Float(1.5))",
        "RoundToInt(IntTrueDiv(a, 4))",
        "TruncToInt(sqrt(ToFloat(Abs(a))) + Float(0.25))",
        "CeilToInt(FloatPow(Float(2.0), a))",
        "Where(Lt(IntTrueDiv(a, 3), Float(-0.5)), 7, 9)",
        "FloorToInt(RoundDecimal(IntTrueDiv(a, 3), 2)*Float(100.0))",
        "FloorToInt(Max(Float(0.5), IntTrueDiv(a, 2)))",
        // 1.115 is less than it looks, and a hundred times it is rounded to 111.5.
        "FloorToInt(RoundDecimal(ToFloat(a)*Float(1.115), 2)*Float(100.0))",
        "TruncToInt(RoundDecimal(ToFloat(a)*Float(2.5), -1))",
        "Eq(ToFloat(a), Float(3.0)) + Le(Float(-inf), ToFloat(a))",
        "TruncToInt(TruncToFloat(IntTrueDiv(a, 2))*Float(-3.0))",
    ];
    let points: Vec<Point> = (-6..=6).map(|a| [a, 0, 0, 0, 0, 3, 1, 1]).collect();
    let case = |text: &str| {
        let expr = parse(text).unwrap();
        let values: Vec<(Point, i64)> =
            points.iter().map(|it| (*it, value(&expr, it).unwrap())).collect();
        (expr, values)
    };
    let cases: Vec<(Expr, Vec<(Point, i64)>)> = texts.iter().map(|it| case(it)).collect();
    compile_and_run("floats", &program(&cases, &facts));
}
