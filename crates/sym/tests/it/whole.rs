//! Random expressions over the whole language, each under ranges of its own: read from `srepr`,
//! simplified, printed, compiled, and compared with their values by Python's rules.

use std::fmt::Write;

use sym::{CPP_PRELUDE, EvalError, Expr, Facts, Number, Range, parse_srepr, simplify, to_cpp};

use crate::{
    cpp::{compile_and_run, literal},
    tree::{self, Binding, Chance, REAL, SYMBOLS, Tree, Value},
};

/// Points at which each expression is tried.
const POINTS: usize = 12;

/// Expressions in one C++ program.
const BATCH: usize = 500;

/// What is known of a symbol: its range, and that it is `remainder` modulo `modulus`.
#[derive(Clone, Copy, Debug)]
struct Known {
    range: Range,
    modulus: i64,
    remainder: i64,
}

impl Known {
    fn random(chance: &mut Chance) -> Known {
        let low = chance.between(-3, 4);
        let range = match chance.between(0, 9) {
            0 => Range { lo: low, hi: low },
            1 => Range { lo: low, hi: low + 1 },
            2 => Range { lo: 0, hi: chance.between(1, 5) },
            3 => Range { lo: -chance.between(1, 40), hi: chance.between(0, 40) },
            4 => Range { lo: i64::MIN, hi: i64::MAX },
            5 => Range { lo: low, hi: i64::MAX },
            6 => Range { lo: 1, hi: 1 << chance.between(20, 40) },
            _ => Range { lo: chance.between(0, 2), hi: 1 << chance.between(3, 12) },
        };
        let modulus = if chance.between(0, 3) == 0 { chance.of(&[2, 3, 4, 8]) } else { 1 };
        let remainder = chance.between(0, modulus - 1);
        let known = Known { range, modulus, remainder };
        // A congruence that the range has no room for says nothing.
        if known.fitting(range.lo).is_some() { known } else { Known { modulus: 1, ..known } }
    }

    /// The least value that is allowed and not below `from`, or else the greatest below it.
    fn fitting(self, from: i64) -> Option<i64> {
        let offset =
            |at: i64| (self.remainder - at.rem_euclid(self.modulus)).rem_euclid(self.modulus);
        let from = from.clamp(self.range.lo, self.range.hi);
        let up = from.checked_add(offset(from)).filter(|it| *it <= self.range.hi);
        up.or_else(|| {
            let down = from.checked_sub((self.modulus - offset(from)) % self.modulus)?;
            (self.range.lo <= down).then_some(down)
        })
    }

    fn sample(self, chance: &mut Chance) -> i64 {
        let Range { lo, hi } = self.range;
        let wide = |it: i64| it.clamp(-(1 << 20), 1 << 20);
        let value = match chance.between(0, 9) {
            0..=1 => lo,
            2..=3 => hi,
            4 => lo.saturating_add(1),
            5 => hi.saturating_sub(1),
            6 => 0,
            _ => chance.between(wide(lo), wide(hi)),
        };
        self.fitting(value).unwrap_or(lo)
    }
}

struct Case {
    tree: Tree,
    expr: Expr,
    facts: Facts,
    known: [Known; SYMBOLS.len()],
    points: Vec<(Binding, i64)>,
}

#[derive(Default, Debug)]
struct Count {
    expressions: usize,
    points: usize,
    /// Expressions that were too large to have a form.
    too_large: usize,
    /// Points where only an argument of a function left 64 bits after simplification.
    outside: usize,
}

impl Case {
    fn random(chance: &mut Chance, count: &mut Count) -> Option<Case> {
        let depth = chance.between(1, 4) as u32;
        let is_truth = chance.between(0, 6) == 0;
        let tree = if is_truth { tree::truth(chance, depth) } else { tree::integer(chance, depth) };
        let known: [Known; SYMBOLS.len()] = std::array::from_fn(|_| Known::random(chance));
        let mut facts = Facts::new();
        for (name, known) in SYMBOLS.iter().zip(known) {
            facts.set_range(name, known.range);
            facts.assume_multiple(name, known.modulus, known.remainder);
        }
        let text = tree.srepr();
        let Ok(read) = parse_srepr(&text) else {
            // A constant that leaves 64 bits has no form.
            count.too_large += 1;
            return None;
        };
        let expr = simplify(&read, &facts);
        assert!(expr.cost() <= read.cost(), "{text}: {read} became {expr}");
        assert_eq!(simplify(&expr, &facts), expr, "{text}: not idempotent from {read}");
        let mut case = Case { tree, expr, facts, known, points: Vec::new() };
        for _ in 0..POINTS {
            let at = (case.known.map(|it| it.sample(chance)), chance.between(-40, 40) as f64 / 8.0);
            if let Some(Value::Int(wanted)) = case.tree.value(&at) {
                let wanted = wanted as i64;
                case.check(&read, &at, wanted, "read");
                case.check(&case.expr, &at, wanted, "simplified");
                match case.fits(&at) {
                    true => case.points.push((at, wanted)),
                    false => count.outside += 1,
                }
            }
        }
        count.expressions += 1;
        count.points += case.points.len();
        Some(case)
    }

    fn check(&self, expr: &Expr, at: &Binding, wanted: i64, how: &str) {
        let value = expr.eval_number(&|name| value_of(at, name));
        assert!(
            // What Python says with more digits may not fit here on the way.
            matches!(value, Ok(Number::Int(it)) if it == wanted)
                || value == Err(EvalError::Overflow),
            "{how} as {expr}: {value:?} at {at:?}, not {wanted}\n{}\n{:?}",
            self.tree.srepr(),
            self.known
        );
    }

    /// C++ computes in 64 bits what evaluation computes in 128.
    fn fits(&self, at: &Binding) -> bool {
        let mut fit = self.expr.eval_number(&|name| value_of(at, name)).is_ok();
        self.expr.for_each_argument(&mut |it| {
            fit &= it.eval_number(&|name| value_of(at, name)).is_ok();
        });
        fit
    }
}

fn value_of(at: &Binding, name: &str) -> Option<Number> {
    if name == REAL {
        return Some(Number::Float(at.1));
    }
    SYMBOLS.iter().position(|it| *it == name).map(|it| Number::Int(at.0[it]))
}

/// A file with one function per expression, and a `main` that compares results.
fn program(cases: &[Case]) -> String {
    let names: Vec<String> = SYMBOLS.iter().map(|it| format!("tt_int {it}")).collect();
    let names = format!("{}, double {REAL}", names.join(", "));
    let (mut functions, mut main) = (String::new(), String::new());
    for (k, case) in cases.iter().enumerate() {
        let cpp = to_cpp(&case.expr, &case.facts, &|it| it.to_owned());
        writeln!(functions, "// {}\n// {}", case.tree.srepr(), case.expr).unwrap();
        writeln!(functions, "static tt_int f{k}({names}) {{ return {cpp}; }}").unwrap();
        for (at, wanted) in &case.points {
            let args: Vec<String> = at.0.iter().map(literal).collect();
            let (args, wanted) = (args.join(", "), literal(wanted));
            writeln!(main, "  check({k}, f{k}({args}, {:?}), {wanted});", at.1).unwrap();
        }
    }
    // Functions of their own, since one function with all calls takes minutes to compile.
    let mut parts = String::new();
    let lines: Vec<&str> = main.lines().collect();
    for (k, part) in lines.chunks(200).enumerate() {
        writeln!(parts, "static void part{k}() {{\n{}\n}}", part.join("\n")).unwrap();
    }
    let calls: String = (0..lines.chunks(200).len()).map(|it| format!(" part{it}();")).collect();
    format!(
        "{CPP_PRELUDE}\nextern \"C\" int printf(const char*, ...);\n{functions}\
         static int wrong = 0;\nstatic void check(int at, tt_int is, tt_int wanted) {{\n  \
         if (is != wanted) {{ ++wrong; printf(\"f%d is %ld, not %ld\\n\", at, is, wanted); }}\n}}\n\
         {parts}int main() {{{calls} return wrong != 0; }}\n"
    )
}

/// `SYM_EXPRESSIONS` asks for more than an everyday run tries, as `cargo xtask bench sym-random`
/// does.
#[test]
fn expressions_have_pythons_values() {
    let asked = std::env::var("SYM_EXPRESSIONS").ok().and_then(|it| it.parse().ok());
    let wanted: usize = asked.unwrap_or(BATCH);
    let seed = std::env::var("SYM_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(4);
    let (mut chance, mut count) = (Chance { state: seed, positive: false }, Count::default());
    while count.expressions < wanted {
        let mut cases = Vec::new();
        while cases.len() < BATCH.min(wanted) {
            cases.extend(Case::random(&mut chance, &mut count));
        }
        compile_and_run("whole", &program(&cases));
    }
    println!(
        "{} random expressions at {} points: none differs ({} points where an argument leaves 64 \
         bits are not compared in C++; {} expressions are too large to have a form)",
        count.expressions, count.points, count.outside, count.too_large
    );
    // What is not compared must not become what is tried.
    assert!(count.outside * 50 < count.points, "{count:?}");
    assert!(count.too_large * 20 < count.expressions, "{count:?}");
    assert!(count.expressions * 4 < count.points, "{count:?}");
}
