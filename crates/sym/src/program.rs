//! Integer expressions translated for evaluation at many points.

use crate::{
    expr::{Atom, Call, Expr, Repr},
    fun::Fun,
};

/// An expression whose symbols are slots of an array, computed in 64 bits.
///
/// Not every expression is one, and not every value can be computed so: what leaves 64 bits on
/// the way, or divides by zero, has none here, and [`Expr::eval`] says what it is.
#[derive(Debug)]
pub struct Program(Node);

#[derive(Debug)]
enum Node {
    /// A constant and the sum of coefficients times slots: nearly all there are.
    Affine(i64, Box<[(i64, usize)]>),
    /// A constant and the sum of coefficients times products.
    Sum(i64, Box<[(i64, Box<[Node]>)]>),
    FloorDiv(Box<Node>, Box<Node>),
    Mod(Box<Node>, Box<Node>),
    Min(Box<[Node]>),
    Max(Box<[Node]>),
}

impl Program {
    /// Translates `expr`, whose symbols are the slots that `slot` says; none where a symbol has no
    /// slot or a function has no translation.
    pub fn new(expr: &Expr, slot: &dyn Fn(&str) -> Option<usize>) -> Option<Program> {
        node(expr, slot).map(Program)
    }

    /// The value where the slots hold these numbers.
    pub fn eval(&self, slots: &[i64]) -> Option<i64> {
        self.0.eval(slots)
    }
}

impl Node {
    fn eval(&self, slots: &[i64]) -> Option<i64> {
        let pair = |a: &Node, b: &Node| Some((a.eval(slots)?, b.eval(slots)?));
        match self {
            Node::Affine(constant, terms) => terms.iter().try_fold(*constant, |sum, it| {
                sum.checked_add(it.0.checked_mul(*slots.get(it.1)?)?)
            }),
            Node::Sum(constant, terms) => {
                let product = |coefficient: i64, factors: &[Node]| {
                    factors.iter().try_fold(coefficient, |p, it| p.checked_mul(it.eval(slots)?))
                };
                terms.iter().try_fold(*constant, |sum, (coefficient, factors)| {
                    sum.checked_add(product(*coefficient, factors)?)
                })
            }
            Node::FloorDiv(a, b) => pair(a, b).and_then(|(a, b)| {
                let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
                Some(quotient - i64::from(rest != 0 && (rest < 0) != (b < 0)))
            }),
            Node::Mod(a, b) => pair(a, b).and_then(|(a, b)| {
                let rest = a.checked_rem(b)?;
                Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            }),
            Node::Min(all) => extreme(all, slots, i64::min),
            Node::Max(all) => extreme(all, slots, i64::max),
        }
    }
}

fn extreme(all: &[Node], slots: &[i64], better: fn(i64, i64) -> i64) -> Option<i64> {
    let (first, rest) = all.split_first()?;
    rest.iter().try_fold(first.eval(slots)?, |best, it| Some(better(best, it.eval(slots)?)))
}

fn node(expr: &Expr, slot: &dyn Fn(&str) -> Option<usize>) -> Option<Node> {
    match &expr.0 {
        _ if expr.is_real() => None,
        Repr::Undefined => None,
        Repr::Int(it) => Some(Node::Affine(*it, Box::new([]))),
        Repr::Sym(name) => Some(Node::Affine(0, Box::new([(1, slot(name)?)]))),
        Repr::Call(it) => call(it, slot),
        Repr::Sum(sum) => {
            let mut affine = Some(Vec::new());
            let mut terms = Vec::new();
            for term in &sum.terms {
                let mut factors = Vec::new();
                for factor in &term.mono {
                    for _ in 0..factor.power {
                        factors.push(match &factor.atom {
                            Atom::Sym(name) => Node::Affine(0, Box::new([(1, slot(name)?)])),
                            Atom::Call(it) => call(it, slot)?,
                        });
                    }
                }
                affine = match (affine, factors.as_slice()) {
                    (Some(mut all), [Node::Affine(0, only)]) if only.len() == 1 => {
                        all.push((term.coefficient, only[0].1));
                        Some(all)
                    }
                    _ => None,
                };
                terms.push((term.coefficient, factors.into()));
            }
            Some(match affine {
                Some(it) => Node::Affine(sum.constant, it.into()),
                None => Node::Sum(sum.constant, terms.into()),
            })
        }
    }
}

fn call(call: &Call, slot: &dyn Fn(&str) -> Option<usize>) -> Option<Node> {
    let mut args = call.args.iter().map(|it| node(it, slot)).collect::<Option<Vec<_>>>()?;
    match call.fun {
        _ if call.is_real() => None,
        Fun::Min => Some(Node::Min(args.into())),
        Fun::Max => Some(Node::Max(args.into())),
        Fun::FloorDiv | Fun::Mod if args.len() == 2 => {
            let (b, a) = (Box::new(args.pop()?), Box::new(args.pop()?));
            Some(if call.fun == Fun::Mod { Node::Mod(a, b) } else { Node::FloorDiv(a, b) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At every point of a grid a program gives what the expression is, or nothing.
    #[test]
    fn as_the_expression() {
        let slot = |name: &str| ["a", "b"].iter().position(|it| *it == name);
        let (a, b) = (Expr::sym("a"), Expr::sym("b"));
        let all = [
            a.clone() * 3 + b.clone() - 4,
            (a.clone() * b.clone() * b.clone()).floor_div(&Expr::int(3)) + a.clone(),
            (a.clone() + 2).modulo(&b) * 5,
            a.floor_div(&b) - b.modulo(&Expr::int(-3)),
            Expr::min_of([&a, &b]) * Expr::max_of([&(a.clone() + 1), &Expr::int(0)]),
        ];
        for expr in &all {
            let program = Program::new(expr, &slot).expect("a program");
            for (x, y) in (-7..8).flat_map(|x| (-7..8).map(move |y| (x, y))) {
                let value = expr.eval(&|name| slot(name).map(|it| [x, y][it]));
                assert_eq!(program.eval(&[x, y]), value.ok(), "{expr} at {x}, {y}");
            }
        }
        assert!(Program::new(&a.pow_by_natural(&b), &slot).is_none());
        let square = Program::new(&(a.clone() * a), &slot).expect("a program");
        assert_eq!(square.eval(&[i64::MAX, 0]), None);
    }
}
