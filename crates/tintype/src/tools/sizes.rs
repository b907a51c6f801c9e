//! Size expressions: simplified, explained, printed.

use diag::{Diag, codes};
use sym::{Expr, Facts, Range};

use crate::Failure;

/// What to do with an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeTask {
    /// Show the simplified expression.
    Simplify,
    /// Show the rules that simplify it, too.
    Explain,
    /// Show the C++ that computes it.
    Cpp,
}

/// Works on an expression, in our notation or in sympy's `srepr`. Ranges are `s0=2:1024`, either
/// end of which may be missing.
pub fn size(task: SizeTask, text: &str, ranges: &[String]) -> Result<String, Failure> {
    let expr = sym::parse(text).or_else(|ours| {
        sym::parse_srepr(text).map_err(|_| {
            let end = text.len();
            let place = ours.at.min(end)..end.min(ours.at.saturating_add(1)).max(ours.at.min(end));
            let mut failure = Failure::from(
                Diag::error(&codes::SIZE_EXPRESSION, "the expression does not parse").place(
                    "the expression",
                    place,
                    ours.message.clone(),
                ),
            );
            failure.sources.add("the expression", text);
            failure
        })
    })?;
    let mut facts = Facts::new();
    for it in ranges {
        let (name, range) = range(it)?;
        facts.set_range(name, range);
    }
    let simple = sym::simplify(&expr, &facts);
    let range = sym::range(&simple, &facts);
    Ok(match task {
        SizeTask::Simplify => format!("{simple}\n"),
        SizeTask::Explain => {
            let mut res = format!("{expr}  (cost {})\n", expr.cost());
            for rule in sym::explain(&expr, &facts) {
                res.push_str(&format!("  by {rule}\n"));
            }
            let Range { lo, hi } = range;
            res.push_str(&format!("{simple}  (cost {}, {lo} to {hi})\n", simple.cost()));
            res
        }
        SizeTask::Cpp => format!("{}\n", cpp(&simple, &facts)),
    })
}

fn cpp(expr: &Expr, facts: &Facts) -> String {
    sym::to_cpp(expr, facts, &|name| name.to_owned())
}

/// Reads `s0=2:1024`.
fn range(text: &str) -> Result<(&str, Range), Failure> {
    let bad = || {
        let message = format!("`{text}` is no range: expected NAME=LEAST:MOST");
        Failure::new(&codes::USAGE, message)
    };
    let (name, range) = text.split_once('=').ok_or_else(bad)?;
    let (lo, hi) = range.split_once(':').ok_or_else(bad)?;
    let end = |text: &str, none: i64| match text.trim() {
        "" => Ok(none),
        it => it.parse::<i64>().map_err(|_| bad()),
    };
    let (lo, hi) = (end(lo, i64::MIN)?, end(hi, i64::MAX)?);
    if !sym::is_name(name.trim()) || hi < lo {
        return Err(bad());
    }
    Ok((name.trim(), Range { lo, hi }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_simplified_by_its_ranges() {
        let ranges = ["s0=2:1024".to_owned()];
        assert_eq!(size(SizeTask::Simplify, "(4*s0)//4 + 0*s1", &ranges).unwrap(), "s0\n");
        let text = size(SizeTask::Explain, "(2*s0 + 1)//2", &ranges).unwrap();
        assert!(text.ends_with("s0  (cost 1, 2 to 1024)\n"), "{text}");
        let message = size(SizeTask::Cpp, "s0 +", &[]).unwrap_err().render();
        assert!(message.contains("E0104"), "{message}");
        assert!(size(SizeTask::Simplify, "s0", &["s0=3".to_owned()]).is_err());
        assert!(size(SizeTask::Simplify, "s0", &["s0=3:2".to_owned()]).is_err());
    }
}
