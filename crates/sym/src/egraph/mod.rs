//! What a normal form cannot decide: an e-graph over quotients, remainders, minima and maxima.
//!
//! It is for small expressions in which two or more of those meet, and there are bounds on its
//! iterations and nodes, none on its time, so that the outcome does not depend on the machine.

mod rules;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, sync::OnceLock, time::Duration};

use egg::{
    Analysis, ConditionalApplier, CostFunction, DidMerge, EGraph, Extractor, Id, Language, Pattern,
    RecExpr, Rewrite, Runner, StopReason, Subst, Var, define_language,
};

use crate::{
    eval::apply,
    expr::{Atom, Expr, Factor, Repr, Term},
    facts::Facts,
    fun::Fun,
    range::{Range, range},
};
use rules::{Guard, RULES, Rule};

const ITERATIONS: usize = 6;
const NODES: usize = 1_200;
/// So long that reaching it is a fault.
const TIME: Duration = Duration::from_secs(3_600);

/// The largest expression that is tried, in nodes.
const MAX_TRIED: u32 = 40;

define_language! {
    enum Node {
        Int(i64),
        "+" = Add([Id; 2]),
        "*" = Mul([Id; 2]),
        "div" = Div([Id; 2]),
        "mod" = Mod([Id; 2]),
        "min" = Min([Id; 2]),
        "max" = Max([Id; 2]),
        Leaf(Leaf),
    }
}

/// An index into the expressions that the e-graph does not look into.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Leaf(usize);

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
}

impl FromStr for Leaf {
    type Err = ();

    fn from_str(text: &str) -> Result<Leaf, ()> {
        text.strip_prefix('x').and_then(|it| it.parse().ok()).map(Leaf).ok_or(())
    }
}

/// The analysis: a range for each class.
#[derive(Default)]
struct Ranges {
    leaves: Vec<Range>,
    /// Set when a class has an empty range: facts contradict each other, or a rule is wrong.
    contradiction: bool,
}

impl Analysis<Node> for Ranges {
    type Data = Range;

    fn make(egraph: &mut EGraph<Node, Ranges>, node: &Node, _: Id) -> Range {
        let get = |it: &Id| egraph[*it].data;
        match node {
            Node::Int(it) => Range::point(*it),
            Node::Leaf(it) => egraph.analysis.leaves.get(it.0).copied().unwrap_or(Range::ANY),
            Node::Add([a, b]) => get(a).plus(get(b)),
            Node::Mul([a, b]) => get(a).times(get(b)),
            Node::Div([a, b]) => get(a).floor_div(get(b)),
            Node::Mod([a, b]) => get(a).modulo(get(b)),
            Node::Min([a, b]) => get(a).min(get(b)),
            Node::Max([a, b]) => get(a).max(get(b)),
        }
    }

    /// The meet: both ranges hold of a merged class.
    fn merge(&mut self, a: &mut Range, b: Range) -> DidMerge {
        let met = a.intersection(b);
        if met.is_empty() {
            self.contradiction = true;
            return DidMerge(false, true);
        }
        let changed = DidMerge(met != *a, met != b);
        *a = met;
        changed
    }

    fn modify(egraph: &mut EGraph<Node, Ranges>, id: Id) {
        if let Some(value) = egraph[id].data.as_point() {
            let constant = egraph.add(Node::Int(value));
            if egraph.are_explanations_enabled() {
                egraph.union_trusted(id, constant, "point-range");
            } else {
                egraph.union(id, constant);
            }
        }
    }
}

/// As [`Expr::cost`]; the totals saturate.
struct Cost;

impl CostFunction<Node> for Cost {
    type Cost = u64;

    fn cost<C: FnMut(Id) -> u64>(&mut self, node: &Node, mut costs: C) -> u64 {
        let own = match node {
            Node::Int(_) | Node::Leaf(_) => 1,
            Node::Add(_) => 2,
            Node::Mul(_) | Node::Min(_) | Node::Max(_) => 3,
            Node::Div(_) | Node::Mod(_) => 20,
        };
        node.fold(own, |sum, id| u64::saturating_add(sum, costs(id)))
    }
}

fn rewrites() -> &'static [Rewrite<Node, Ranges>] {
    static REWRITES: OnceLock<Vec<Rewrite<Node, Ranges>>> = OnceLock::new();
    REWRITES.get_or_init(|| RULES.iter().map(rewrite).collect())
}

fn rewrite(rule: &Rule) -> Rewrite<Node, Ranges> {
    let pattern = |text: &str| -> Pattern<Node> { text.parse().expect("a rule has patterns") };
    let guards: Vec<(Var, Guard)> = rule
        .guards
        .iter()
        .map(|(var, guard)| (var.parse().expect("a guard names a variable"), *guard))
        .collect();
    let condition = move |egraph: &mut EGraph<Node, Ranges>, _: Id, subst: &Subst| {
        guards.iter().all(|(var, guard)| guard.proven_by(egraph[subst[*var]].data))
    };
    let applier = ConditionalApplier { condition, applier: pattern(rule.right) };
    Rewrite::new(rule.name, pattern(rule.left), applier)
        .expect("the right side of a rule has the variables of the left")
}

/// The names of the rules and what they say.
pub(crate) fn laws() -> impl Iterator<Item = (&'static str, String)> {
    RULES.iter().map(|rule| {
        let guards = rule.guards.iter().map(|(var, guard)| format!(", {var} {guard:?}"));
        let guards: String = guards.collect();
        (rule.name, format!("{} = {}{}", rule.left, rule.right, guards.to_lowercase()))
    })
}

/// Whether the e-graph could find what the direct rewrites do not.
pub(crate) fn is_worth_trying(expr: &Expr) -> bool {
    expr.size() <= MAX_TRIED && 2 <= count_hard(expr)
}

fn is_hard(fun: Fun) -> bool {
    matches!(fun, Fun::FloorDiv | Fun::Mod | Fun::Min | Fun::Max)
}

fn count_hard(expr: &Expr) -> usize {
    let of_call = |it: &crate::expr::Call| {
        usize::from(is_hard(it.fun)) + it.args.iter().map(count_hard).sum::<usize>()
    };
    match &expr.0 {
        Repr::Int(_) | Repr::Sym(_) | Repr::Undefined => 0,
        Repr::Call(it) => of_call(it),
        Repr::Sum(sum) => sum
            .terms
            .iter()
            .flat_map(|it| &it.mono)
            .map(|it| match &it.atom {
                Atom::Sym(_) => 0,
                Atom::Call(it) => of_call(it),
            })
            .sum(),
    }
}

/// The cheapest expression that the rules find, with their names if they are asked for.
pub(crate) fn simplify(expr: &Expr, facts: &Facts, explained: bool) -> (Expr, Vec<String>) {
    let mut built = Built::default();
    built.expr(expr);
    let leaves = built.leaves.iter().map(|it| range(it, facts)).collect();
    let mut runner: Runner<Node, Ranges> = Runner::new(Ranges { leaves, contradiction: false })
        .with_iter_limit(ITERATIONS)
        .with_node_limit(NODES)
        .with_time_limit(TIME);
    if explained {
        runner = runner.with_explanations_enabled();
    }
    let mut runner = runner.with_expr(&built.nodes).run(rewrites());
    let unchanged = || (expr.clone(), Vec::new());
    let timed_out = matches!(runner.stop_reason, Some(StopReason::TimeLimit(_)));
    let Some(root) = runner.roots.first().copied() else { return unchanged() };
    if timed_out || runner.egraph.analysis.contradiction {
        return unchanged();
    }
    let found = Extractor::new(&runner.egraph, Cost).find_best(root).1;
    let names = if explained { steps(&mut runner, &built.nodes, &found) } else { Vec::new() };
    (to_expr(&found, &built.leaves), names)
}

/// The names of the rules that lead from one expression to the other.
fn steps(
    runner: &mut Runner<Node, Ranges>,
    from: &RecExpr<Node>,
    to: &RecExpr<Node>,
) -> Vec<String> {
    let mut explanation = runner.explain_equivalence(from, to);
    let mut names = Vec::new();
    for term in explanation.make_flat_explanation() {
        collect_rules(term, &mut names);
    }
    names
}

fn collect_rules(term: &egg::FlatTerm<Node>, names: &mut Vec<String>) {
    let rules = [("", term.forward_rule), ("reverse ", term.backward_rule)];
    for (direction, rule) in rules {
        names.extend(rule.map(|it| format!("{direction}{it}")));
    }
    term.children.iter().for_each(|it| collect_rules(it, names));
}

/// An expression on its way into the e-graph.
#[derive(Default)]
struct Built {
    nodes: RecExpr<Node>,
    leaves: Vec<Expr>,
}

impl Built {
    fn expr(&mut self, expr: &Expr) -> Id {
        match &expr.0 {
            Repr::Int(it) => self.nodes.add(Node::Int(*it)),
            Repr::Sym(_) | Repr::Undefined => self.leaf(expr.clone()),
            Repr::Call(_) => match expr.as_atom() {
                Some(it) => self.atom(&it),
                None => self.leaf(expr.clone()),
            },
            Repr::Sum(sum) => {
                let terms: Vec<Id> = sum.terms.iter().map(|it| self.term(it)).collect();
                let constant = (sum.constant != 0).then(|| self.nodes.add(Node::Int(sum.constant)));
                let add = |nodes: &mut RecExpr<Node>, a, b| nodes.add(Node::Add([a, b]));
                self.fold(terms.into_iter().chain(constant), add)
            }
        }
    }

    fn term(&mut self, term: &Term) -> Id {
        let mut factors: Vec<Id> = Vec::new();
        if term.coefficient != 1 {
            factors.push(self.nodes.add(Node::Int(term.coefficient)));
        }
        for Factor { atom, power } in &term.mono {
            let id = self.atom(atom);
            factors.extend((0..*power).take(8).map(|_| id));
            if let Some(rest @ 1..) = power.checked_sub(8) {
                let rest = Expr::int(rest.into());
                factors.push(self.leaf(atom.to_expr().pow_by_natural(&rest)));
            }
        }
        self.fold(factors.into_iter(), |nodes, a, b| nodes.add(Node::Mul([a, b])))
    }

    fn fold(
        &mut self,
        ids: impl Iterator<Item = Id>,
        join: fn(&mut RecExpr<Node>, Id, Id) -> Id,
    ) -> Id {
        let joined = ids.reduce(|a, b| join(&mut self.nodes, a, b));
        joined.unwrap_or_else(|| self.nodes.add(Node::Int(0)))
    }

    fn atom(&mut self, atom: &Atom) -> Id {
        let Atom::Call(call) = atom else { return self.leaf(atom.to_expr()) };
        if call.is_real() || !is_hard(call.fun) {
            return self.leaf(atom.to_expr());
        }
        let args: Vec<Id> = call.args.iter().map(|it| self.expr(it)).collect();
        match call.fun {
            Fun::Max => self.fold(args.into_iter(), |nodes, a, b| nodes.add(Node::Max([a, b]))),
            Fun::Min => self.fold(args.into_iter(), |nodes, a, b| nodes.add(Node::Min([a, b]))),
            Fun::Mod => self.fold(args.into_iter(), |nodes, a, b| nodes.add(Node::Mod([a, b]))),
            _ => self.fold(args.into_iter(), |nodes, a, b| nodes.add(Node::Div([a, b]))),
        }
    }

    fn leaf(&mut self, expr: Expr) -> Id {
        let at = self.leaves.iter().position(|it| *it == expr).unwrap_or_else(|| {
            self.leaves.push(expr);
            self.leaves.len() - 1
        });
        self.nodes.add(Node::Leaf(Leaf(at)))
    }
}

fn to_expr(nodes: &RecExpr<Node>, leaves: &[Expr]) -> Expr {
    let mut values: Vec<Expr> = Vec::new();
    for node in nodes.as_ref() {
        let get = |it: &Id| values.get(usize::from(*it)).cloned().unwrap_or_else(Expr::undefined);
        let value = match node {
            Node::Int(it) => Expr::int(*it),
            Node::Leaf(it) => leaves.get(it.0).cloned().unwrap_or_else(Expr::undefined),
            Node::Add([a, b]) => get(a) + get(b),
            Node::Mul([a, b]) => get(a) * get(b),
            Node::Div([a, b]) => apply(Fun::FloorDiv, &[get(a), get(b)]),
            Node::Mod([a, b]) => apply(Fun::Mod, &[get(a), get(b)]),
            Node::Min([a, b]) => apply(Fun::Min, &[get(a), get(b)]),
            Node::Max([a, b]) => apply(Fun::Max, &[get(a), get(b)]),
        };
        values.push(value);
    }
    values.pop().unwrap_or_else(Expr::undefined)
}
