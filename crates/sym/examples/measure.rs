//! For `cargo xtask bench sym-sympy`: random expressions as `srepr`, and what simplifying costs.
//!
//! ```text
//! measure random COUNT SEED    prints COUNT lines: an expression, a tab, ranges as `s0=2:1024,…`
//! measure simplify             reads such lines, and prints for each the nanoseconds, the result
//!                              and its C++, with tabs between; or `-`, a tab, and what is wrong
//! ```

#![expect(clippy::print_stdout, reason = "what this program says, it says on the terminal")]

#[path = "../tests/it/tree.rs"]
#[allow(dead_code, reason = "the tests need more of it, and lints look at each use alone")]
mod tree;

use std::{io::BufRead, time::Instant};

use sym::{Facts, Range, parse_srepr, simplify, to_cpp};

/// The least of so many times counts: what else runs on the machine only adds.
const TURNS: usize = 3;

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["random", count, seed] => {
            let number = |it: &str| it.parse::<u64>().map_err(|error| format!("{it}: {error}"));
            random(number(count)?, number(seed)?);
            Ok(())
        }
        ["simplify"] => {
            for line in std::io::stdin().lock().lines() {
                match measured(&line.map_err(|it| it.to_string())?) {
                    Ok((nanoseconds, text)) => println!("{nanoseconds}\t{text}"),
                    Err(error) => println!("-\t{error}"),
                }
            }
            Ok(())
        }
        _ => Err("measure random COUNT SEED, or measure simplify".to_owned()),
    }
}

fn random(count: u64, seed: u64) {
    let mut chance = tree::Chance { state: seed, positive: true };
    for _ in 0..count {
        let depth = chance.between(2, 4) as u32;
        let expr = tree::integer(&mut chance, depth);
        let mut range = |name: &str| {
            let lo = chance.between(i64::from(!name.starts_with('u')), 2);
            format!("{name}={lo}:{}", 1i64 << chance.between(4, 16))
        };
        let ranges: Vec<String> = tree::SYMBOLS.iter().map(|it| range(it)).collect();
        println!("{}\t{}", expr.srepr(), ranges.join(","));
    }
}

fn measured(line: &str) -> Result<(u128, String), String> {
    let (text, ranges) = line.split_once('\t').unwrap_or((line, ""));
    let expr = parse_srepr(text).map_err(|it| it.to_string())?;
    let mut best = None;
    for _ in 0..TURNS {
        // The facts are new each time, since they keep what was found.
        let facts = facts(ranges)?;
        let start = Instant::now();
        let result = simplify(&expr, &facts);
        let taken = start.elapsed().as_nanos();
        best = best.filter(|(least, _)| *least <= taken).or(Some((taken, result)));
    }
    let (nanoseconds, result) = best.ok_or("not measured")?;
    let cpp = to_cpp(&result, &facts(ranges)?, &|it| it.to_owned());
    Ok((nanoseconds.max(1), format!("{result}\t{cpp}")))
}

fn facts(ranges: &str) -> Result<Facts, String> {
    let mut facts = Facts::new();
    for item in ranges.split(',').filter(|it| !it.is_empty()) {
        let parts = item.split_once('=').and_then(|(name, it)| Some((name, it.split_once(':')?)));
        let (name, (lo, hi)) = parts.ok_or_else(|| format!("{item} is no range"))?;
        let end = |it: &str, open: i64| match it {
            "" => Ok(open),
            it => it.parse::<i64>().map_err(|error| format!("{item}: {error}")),
        };
        facts.set_range(name, Range { lo: end(lo, i64::MIN)?, hi: end(hi, i64::MAX)? });
    }
    Ok(facts)
}
