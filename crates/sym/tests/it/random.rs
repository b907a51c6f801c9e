//! Laws on random sizes at random points where the facts hold.

use proptest::prelude::*;
use sym::{Answer, Expr, divisible, equal, less_equal, parse, range, simplify};

use crate::sample::{Point, facts, index, point, size, value};

fn points() -> impl Strategy<Value = Vec<Point>> {
    prop::collection::vec(point(), 24)
}

fn check_simplify(expr: &Expr, points: &[Point]) -> Result<(), TestCaseError> {
    let facts = facts();
    let simple = simplify(expr, &facts);
    prop_assert!(simple.cost() <= expr.cost(), "{} became {}", expr, simple);
    prop_assert_eq!(&simplify(&simple, &facts), &simple, "not idempotent: {}", expr);
    prop_assert_eq!(&simplify(expr, &facts), &simple);
    for point in points {
        if let Some(before) = value(expr, point) {
            let after = value(&simple, point);
            prop_assert_eq!(Some(before), after, "{} became {} at {:?}", expr, simple, point);
        }
    }
    Ok(())
}

fn check_answer(
    what: &str,
    answer: Answer,
    holds: impl Fn(i64, i64) -> bool,
    (a, b): (&Expr, &Expr),
    points: &[Point],
) -> Result<(), TestCaseError> {
    for point in points {
        if let (Some(x), Some(y)) = (value(a, point), value(b, point)) {
            let right = match answer {
                Answer::Proven => holds(x, y),
                Answer::Refuted => !holds(x, y),
                Answer::Unknown => true,
            };
            prop_assert!(right, "{what}({a}, {b}) is {answer:?}, but not at {point:?}");
        }
    }
    Ok(())
}

/// `SYM_CASES` asks for more than an everyday run tries.
fn cases() -> u32 {
    std::env::var("SYM_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(256)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn simplified_sizes_keep_their_values(expr in size(), points in points()) {
        check_simplify(&expr, &points)?;
    }

    #[test]
    fn simplified_indices_keep_their_values(expr in index(), points in points()) {
        check_simplify(&expr, &points)?;
    }

    #[test]
    fn text_reads_back(expr in size()) {
        let text = expr.to_string();
        if !expr.is_undefined() {
            prop_assert_eq!(parse(&text), Ok(expr), "{}", text);
        }
    }

    #[test]
    fn values_are_in_range(expr in prop_oneof![size(), index()], points in points()) {
        let range = range(&expr, &facts());
        for point in &points {
            if let Some(value) = value(&expr, point) {
                prop_assert!(range.contains(value), "{} is {} and not in {:?}", expr, value, range);
            }
        }
    }

    #[test]
    fn answers_hold(a in prop_oneof![size(), index()], b in prop_oneof![size(), index()],
                    points in points()) {
        let facts = facts();
        let pair = (&a, &b);
        check_answer("equal", equal(&a, &b, &facts), |x, y| x == y, pair, &points)?;
        check_answer("less_equal", less_equal(&a, &b, &facts), |x, y| x <= y, pair, &points)?;
        let multiple = |x: i64, y: i64| y != 0 && x % y == 0;
        check_answer("divisible", divisible(&a, &b, &facts), multiple, pair, &points)?;
    }

    /// Substituting and then evaluating is evaluating with the symbols bound.
    #[test]
    fn substitution_is_evaluation(expr in size(), point in point()) {
        let bound = expr.subst(&|name| crate::sample::value_at(&point, name).map(Expr::int));
        if let Some(value) = value(&expr, &point)
            && !bound.is_undefined()
        {
            prop_assert_eq!(bound.as_int(), Some(value), "{}", expr);
        }
    }
}
