//! The infix text: `2*s0 + 1`, `(s0 + 7)//8`, `Mod(s0, 4)`. [`crate::parse()`] reads it back.

use std::fmt::{Debug, Display, Formatter, Result, Write};

use crate::{
    expr::{Atom, Call, Expr, Repr, Term},
    fun::Fun,
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.0 {
            Repr::Int(it) => write!(f, "{it}"),
            Repr::Sym(it) => f.write_str(it),
            Repr::Call(it) => call(it, f),
            Repr::Undefined => f.write_str("Undefined()"),
            Repr::Sum(sum) => {
                for (at, term) in sum.terms.iter().enumerate() {
                    // The least integer has no magnitude that could follow a minus.
                    let subtract = at != 0 && term.coefficient < 0 && term.coefficient != i64::MIN;
                    if at != 0 {
                        f.write_str(if subtract { " - " } else { " + " })?;
                    }
                    product(term, if subtract { -term.coefficient } else { term.coefficient }, f)?;
                }
                match sum.constant {
                    0 => Ok(()),
                    it @ (1.. | i64::MIN) => write!(f, " + {it}"),
                    it => write!(f, " - {}", -it),
                }
            }
        }
    }
}

impl Debug for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(self, f)
    }
}

fn product(term: &Term, coefficient: i64, f: &mut Formatter<'_>) -> Result {
    let mut separate = false;
    if coefficient != 1 {
        write!(f, "{coefficient}")?;
        separate = true;
    }
    // A quotient that stands alone needs no parentheses.
    let alone = !separate && term.mono.len() == 1;
    for factor in &term.mono {
        if separate {
            f.write_char('*')?;
        }
        separate = true;
        match &factor.atom {
            Atom::Sym(it) => f.write_str(it)?,
            Atom::Call(it) if it.fun == Fun::FloorDiv && !(alone && factor.power == 1) => {
                f.write_char('(')?;
                call(it, f)?;
                f.write_char(')')?;
            }
            Atom::Call(it) => call(it, f)?,
        }
        if factor.power != 1 {
            write!(f, "**{}", factor.power)?;
        }
    }
    Ok(())
}

/// An operand of `//`: in parentheses unless it is a single word.
fn operand(expr: &Expr, f: &mut Formatter<'_>) -> Result {
    let word = match &expr.0 {
        Repr::Int(it) => 0 <= *it,
        Repr::Sym(_) => true,
        Repr::Call(it) => it.fun != Fun::FloorDiv,
        Repr::Sum(_) | Repr::Undefined => false,
    };
    if word { write!(f, "{expr}") } else { write!(f, "({expr})") }
}

fn call(call: &Call, f: &mut Formatter<'_>) -> Result {
    match (call.fun, call.args.as_slice()) {
        (Fun::FloorDiv, [n, d]) => {
            operand(n, f)?;
            f.write_str("//")?;
            return operand(d, f);
        }
        (Fun::Float(bits), _) => return write!(f, "Float({:?})", f64::from_bits(bits)),
        (Fun::Opaque(unary), _) => f.write_str(unary.name())?,
        _ => {
            let name = Fun::NAMED.iter().find(|it| it.1 == call.fun).map_or("", |it| it.0);
            f.write_str(name)?;
        }
    }
    f.write_char('(')?;
    for (at, arg) in call.args.iter().enumerate() {
        if at != 0 {
            f.write_str(", ")?;
        }
        write!(f, "{arg}")?;
    }
    f.write_char(')')
}
