//! Every rule, at every point of a grid, in a total arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use egg::{ENodeOrVar, Pattern, PatternAst, Var};

use super::{
    Node,
    rules::{Guard, RULES, Rule},
};
use crate::range::Range;

/// Integers with a *total* division: `undefined` is what `x/0` and `x mod 0` give.
///
/// A rule that holds only because its left side has no value still merges classes, and
/// `1 = (1*0)/0 = (2*0)/0 = 2` follows; so no point is skipped.
fn eval(ast: &PatternAst<Node>, env: &BTreeMap<Var, i128>, undefined: fn(i128) -> i128) -> i128 {
    let mut values: Vec<i128> = Vec::new();
    for node in ast.as_ref() {
        let get = |it: &egg::Id| values[usize::from(*it)];
        let floor = |a: i128, b: i128| (a as f64 / b as f64).floor() as i128;
        let value = match node {
            ENodeOrVar::Var(it) => env[it],
            ENodeOrVar::ENode(Node::Int(it)) => (*it).into(),
            ENodeOrVar::ENode(Node::Leaf(it)) => panic!("a rule names {it}"),
            ENodeOrVar::ENode(Node::Add([a, b])) => get(a) + get(b),
            ENodeOrVar::ENode(Node::Mul([a, b])) => get(a) * get(b),
            ENodeOrVar::ENode(Node::Min([a, b])) => get(a).min(get(b)),
            ENodeOrVar::ENode(Node::Max([a, b])) => get(a).max(get(b)),
            ENodeOrVar::ENode(Node::Div([a, b]) | Node::Mod([a, b])) if get(b) == 0 => {
                undefined(get(a))
            }
            ENodeOrVar::ENode(Node::Div([a, b])) => floor(get(a), get(b)),
            ENodeOrVar::ENode(Node::Mod([a, b])) => get(a) - get(b) * floor(get(a), get(b)),
        };
        values.push(value);
    }
    values.pop().unwrap()
}

/// A point where the guards hold and the sides differ.
fn unsound_at(rule: &Rule, guards: &[(&str, Guard)]) -> Option<BTreeMap<Var, i128>> {
    let left: Pattern<Node> = rule.left.parse().unwrap();
    let right: Pattern<Node> = rule.right.parse().unwrap();
    let vars: BTreeSet<Var> = left.vars().into_iter().collect();
    const SIDE: usize = 15;
    let points = (0..SIDE.pow(vars.len() as u32)).map(|point| {
        let digit = |at: usize| (point / SIDE.pow(at as u32) % SIDE) as i128 - 7;
        vars.iter().enumerate().map(|(at, var)| (*var, digit(at))).collect::<BTreeMap<_, _>>()
    });
    let guarded = |env: &BTreeMap<Var, i128>| {
        guards.iter().all(|(var, guard)| {
            guard.proven_by(Range::point(env[&var.parse().unwrap()].try_into().unwrap()))
        })
    };
    let values: [fn(i128) -> i128; 2] = [|it| 1_000 + it, |it| -7_000 - 3 * it];
    points
        .filter(guarded)
        .find(|env| values.iter().any(|it| eval(&left.ast, env, *it) != eval(&right.ast, env, *it)))
}

#[test]
fn every_rule_is_sound() {
    for rule in RULES {
        assert_eq!(unsound_at(rule, rule.guards), None, "{}", rule.name);
    }
}

/// The check itself bites: without any one of its guards a rule is wrong.
#[test]
fn no_guard_is_idle() {
    for rule in RULES {
        for skipped in 0..rule.guards.len() {
            let mut guards = rule.guards.to_vec();
            let (var, guard) = guards.remove(skipped);
            assert!(unsound_at(rule, &guards).is_some(), "{}: {guard:?} of {var}", rule.name);
        }
    }
}

#[test]
fn names_are_distinct() {
    let names: BTreeSet<&str> = RULES.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), RULES.len());
}

/// egg checks its own explanations against the rules.
#[test]
fn explanations_are_proofs() {
    let mut facts = crate::Facts::new();
    for name in ["t", "u"] {
        facts.set_range(name, Range::at_least(1));
    }
    for text in ["Mod(a, t*u)//t", "Max(a*t, b*t)//(t*u)", "Max(a + c, b + c) - Min(a, b)"] {
        let mut built = super::Built::default();
        built.expr(&crate::parse(text).unwrap());
        let leaves = built.leaves.iter().map(|it| crate::range(it, &facts)).collect();
        let mut runner: egg::Runner<Node, super::Ranges> =
            egg::Runner::new(super::Ranges { leaves, contradiction: false })
                .with_explanations_enabled()
                .with_iter_limit(super::ITERATIONS)
                .with_expr(&built.nodes)
                .run(super::rewrites());
        let root = runner.roots[0];
        let found = egg::Extractor::new(&runner.egraph, super::Cost).find_best(root).1;
        assert_ne!(found, built.nodes, "{text}");
        runner.explain_equivalence(&built.nodes, &found).check_proof(super::rewrites());
    }
}
