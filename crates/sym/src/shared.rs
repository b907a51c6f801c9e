//! What several expressions compute alike, to be computed once.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::{
    Expr,
    arith::{from_mono, mono_div, mono_mul},
    expr::{Atom, Factor, Mono, Repr, Term},
};

/// Cheaper values are not worth a name: a symbol times a constant is one instruction.
const LEAST_COST: u64 = 6;

/// After so many parts the rest is left as it is: each takes a look at every expression.
const MOST_PARTS: usize = 256;

/// Finds what the expressions, in the order in which they are needed, compute more than once, and
/// gives it names `PREFIX0`, `PREFIX1`, … that no symbol has. The expressions then use the names.
///
/// Returns each name with its value, in an order in which each uses earlier names only, and those
/// that an earlier expression needs come first. Parts are integer functions, products of symbols,
/// and whole expressions. Floating-point parts are left where they are.
pub fn share(exprs: &mut [Expr], prefix: &str) -> Vec<(String, Expr)> {
    let mut sharing =
        Sharing { all: exprs.to_vec(), given: exprs.len(), prefix: free(exprs, prefix) };
    while sharing.all.len() - sharing.given < MOST_PARTS
        && let Some(part) = sharing.largest_shared()
    {
        let name = Expr::sym(&sharing.name(sharing.all.len() - sharing.given));
        for it in &mut sharing.all {
            *it = part.replaced(it, &name);
        }
        sharing.all.push(part.to_expr());
    }
    sharing.put_back_cheap();
    sharing.in_order_of_need(exprs)
}

/// The prefix, made longer until no symbol starts with it.
fn free(exprs: &[Expr], prefix: &str) -> String {
    let mut res = prefix.to_owned();
    let taken = |prefix: &str| {
        let mut found = false;
        for it in exprs {
            it.for_each_symbol(&mut |it| found |= it.starts_with(prefix));
        }
        found
    };
    while taken(&res) {
        res.push('_');
    }
    res
}

struct Sharing {
    /// What was given, then the value of each part.
    all: Vec<Expr>,
    given: usize,
    prefix: String,
}

/// Something that can be computed once.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    /// An atom or a whole expression.
    Value(Expr),
    /// A product of symbols and calls, without its coefficient.
    Product(Mono),
}

impl Part {
    fn to_expr(&self) -> Expr {
        match self {
            Part::Value(it) => it.clone(),
            Part::Product(it) => from_mono(it.clone(), 1),
        }
    }

    /// The expression with the name in place of the part, wherever it is.
    fn replaced(&self, expr: &Expr, name: &Expr) -> Expr {
        if matches!(self, Part::Value(it) if it == expr) {
            return name.clone();
        }
        let by_atom = expr.map_atoms(&mut |atom| match (self, atom) {
            (Part::Value(it), atom) if it.is_atom(atom) => Some(name.clone()),
            (_, Atom::Call(call)) => {
                let args: Vec<Expr> = call.args.iter().map(|it| self.replaced(it, name)).collect();
                (args != call.args.as_slice()).then(|| crate::eval::apply(call.fun, &args))
            }
            _ => None,
        });
        let (Part::Product(of), Some(name)) = (self, name.as_atom()) else { return by_atom };
        let name: Mono = SmallVec::from_iter([Factor { atom: name, power: 1 }]);
        let mut terms = by_atom.to_terms();
        let mut changed = false;
        for term in &mut terms {
            while let Some(rest) = mono_div(&term.mono, of)
                && let Some(mono) = mono_mul(&rest, &name)
            {
                term.mono = mono;
                changed = true;
            }
        }
        match changed {
            true => Expr::sum(
                &terms
                    .into_iter()
                    .map(|it| from_mono(it.mono, it.coefficient))
                    .chain([Expr::int(by_atom.constant_term())])
                    .collect::<Vec<Expr>>(),
            ),
            false => by_atom,
        }
    }
}

impl Sharing {
    fn name(&self, i: usize) -> String {
        format!("{}{i}", self.prefix)
    }

    /// The costliest part that occurs twice; the first of several.
    fn largest_shared(&self) -> Option<Part> {
        let mut counts: FxHashMap<Part, (usize, usize)> = FxHashMap::default();
        let mut count = |part: Part| {
            let order = counts.len();
            counts.entry(part).or_insert((0, order)).0 += 1;
        };
        for it in &self.all {
            if matches!(it.0, Repr::Sum(_)) {
                count(Part::Value(it.clone()));
            }
            parts(it, &mut count);
        }
        // A product may be part of a longer one.
        let products: Vec<(Mono, usize)> = counts
            .iter()
            .filter_map(|(part, count)| match part {
                Part::Product(it) => Some((it.clone(), count.0)),
                Part::Value(_) => None,
            })
            .collect();
        let occurs = |part: &Part, own: usize| match part {
            Part::Value(_) => own,
            Part::Product(it) => {
                let longer = products.iter().filter(|of| mono_div(&of.0, it).is_some());
                longer.map(|it| it.1).sum()
            }
        };
        let shared = counts.iter().filter_map(|(part, (own, order))| {
            let cost = part.to_expr().cost();
            let is_worth_it = matches!(part, Part::Product(_)) || LEAST_COST <= cost;
            (is_worth_it && 2 <= occurs(part, *own)).then_some((
                cost,
                std::cmp::Reverse(*order),
                part,
            ))
        });
        shared.max_by_key(|it| (it.0, it.1)).map(|it| it.2.clone())
    }

    /// Parts of which little is left, once what is in them has a name, lose theirs.
    fn put_back_cheap(&mut self) {
        for i in (self.given..self.all.len()).rev() {
            let value = self.all[i].clone();
            if value.cost() < LEAST_COST && value.to_terms().iter().all(|it| it.mono.len() < 2) {
                let name = self.name(i - self.given);
                for it in &mut self.all {
                    *it = it.subst(&|it| (it == name).then(|| value.clone()));
                }
            }
        }
    }

    /// Puts the results back, with the names numbered as they are needed.
    fn in_order_of_need(self, exprs: &mut [Expr]) -> Vec<(String, Expr)> {
        let parts = &self.all[self.given..];
        let position = |name: &str| name.strip_prefix(&self.prefix)?.parse::<usize>().ok();
        let mut order: Vec<usize> = Vec::new();
        for it in &self.all[..self.given] {
            need(it, parts, &position, &mut order);
        }
        let renamed = |it: &Expr| {
            it.subst(&|name| {
                let at = order.iter().position(|it| Some(*it) == position(name))?;
                Some(Expr::sym(&self.name(at)))
            })
        };
        for (expr, new) in exprs.iter_mut().zip(&self.all) {
            *expr = renamed(new);
        }
        order.iter().enumerate().map(|(i, it)| (self.name(i), renamed(&parts[*it]))).collect()
    }
}

/// Adds the parts that the expression uses, after those that they use.
fn need(
    expr: &Expr,
    parts: &[Expr],
    position: &dyn Fn(&str) -> Option<usize>,
    order: &mut Vec<usize>,
) {
    for name in expr.symbols() {
        if let Some(at) = position(&name)
            && !order.contains(&at)
        {
            need(&parts[at], parts, position, order);
            order.push(at);
        }
    }
}

/// Calls `f` with every integer call and product in the expression.
fn parts(expr: &Expr, f: &mut impl FnMut(Part)) {
    for Term { mono, .. } in expr.to_terms() {
        if mono.iter().map(|it| it.power).sum::<u32>() > 1 {
            f(Part::Product(mono.clone()));
        }
        for factor in mono {
            if let Atom::Call(call) = &factor.atom {
                if !call.is_real() {
                    f(Part::Value(factor.atom.to_expr()));
                }
                for arg in &call.args {
                    if matches!(arg.0, Repr::Sum(_)) {
                        f(Part::Value(arg.clone()));
                    }
                    parts(arg, f);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn shared(texts: &[&str]) -> (Vec<String>, Vec<String>) {
        let mut exprs: Vec<Expr> = texts.iter().map(|it| parse(it).unwrap()).collect();
        let old = exprs.clone();
        let parts = share(&mut exprs, "z");
        for (old, new) in old.iter().zip(&exprs) {
            let mut whole = new.clone();
            for (name, value) in parts.iter().rev() {
                whole = whole.subst(&|it| (it == name).then(|| value.clone()));
            }
            assert_eq!(*old, whole);
        }
        let text = |it: &Expr| it.to_string();
        let definitions = parts.iter().map(|it| format!("{} = {}", it.0, it.1)).collect();
        (definitions, exprs.iter().map(text).collect())
    }

    #[test]
    fn what_occurs_twice_is_named_in_the_order_of_need() {
        let (parts, exprs) =
            shared(&["4*s0*s1 + 64*((s0**2 + 63)//64)", "8*s0*s1", "(s0**2 + 63)//64 + 1", "s0"]);
        assert_eq!(parts, ["z0 = (s0**2 + 63)//64", "z1 = s0*s1"]);
        assert_eq!(exprs, ["64*z0 + 4*z1", "8*z1", "z0 + 1", "s0"]);
    }

    #[test]
    fn whole_expressions_come_before_what_they_are_made_of() {
        let (parts, exprs) = shared(&["s0*s1 + s2 + 1", "s0*s1 + s2 + 1", "3*s0*s1"]);
        assert_eq!(parts, ["z0 = s0*s1", "z1 = s2 + z0 + 1"]);
        assert_eq!(exprs, ["z1", "z1", "3*z0"]);
    }

    #[test]
    fn products_are_found_in_longer_ones() {
        let (parts, exprs) = shared(&["s0*s1", "s0**2*s1", "2*s0"]);
        assert_eq!(parts, ["z0 = s0*s1"]);
        assert_eq!(exprs, ["z0", "s0*z0", "2*s0"]);
    }

    #[test]
    fn what_became_cheap_has_no_name() {
        let (parts, exprs) = shared(&["64*s0*s1", "64*s0*s1", "3*s0*s1"]);
        assert_eq!(parts, ["z0 = s0*s1"]);
        assert_eq!(exprs, ["64*z0", "64*z0", "3*z0"]);
    }

    #[test]
    fn names_are_free() {
        let (parts, _) = shared(&["z1*s0", "z1*s0"]);
        assert_eq!(parts, ["z_0 = s0*z1"]);
    }

    #[test]
    fn what_is_cheap_stays() {
        let (parts, exprs) = shared(&["64*s0", "64*s0"]);
        assert!(parts.is_empty());
        assert_eq!(exprs, ["64*s0", "64*s0"]);
    }
}
