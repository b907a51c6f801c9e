//! Running one test of a pass.

use diag::Diag;
use ir::{Function, OpRef, parse_module, print_module};
use pass::{
    Legality, Observer, PassDef, PassEvent, Phase, Runner, Scope, Silent, Step, Unit, parse_steps,
    same_values,
};

use crate::{Case, ORACLE};

/// What a test found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// What the pass gave, as text; none where an error was expected and found.
    pub after: Option<String>,
    /// What the pass counted, such as how often each rule fired.
    pub counts: Vec<(&'static str, u64)>,
}

/// Runs a test of `pass` but for the comparison with what is expected after.
/// `Err` says what is wrong with the pass or with the test.
pub fn check_pass(case: &Case, pass: &'static PassDef, ops: &[OpRef]) -> Result<Checked, String> {
    let expected = case.errors();
    let step = step(case, pass)?;
    let before = match parse_module(&case.name, &case.before, ops) {
        Ok(it) => it,
        Err(it) => return errors(case, &[it]),
    };
    round_trip(&before, ops)?;
    let before = Unit { functions: before };
    let diags = before.verify();
    if !diags.is_empty() {
        return errors(case, &diags);
    }
    let mut counter = Counter::default();
    let runner = Runner { target: &case.header.target, verify_each: true, evaluate: None };
    let phase = Phase { name: "test", requires: Legality::ANY, ensures: Legality::ANY };
    let steps = [step.clone()];
    let after = match runner.run(&phase, &steps, &before, &mut counter) {
        Ok(it) => it,
        Err(it) => return errors(case, &it.diags),
    };
    if let Some((_, text)) = expected.first() {
        return Err(format!("the pass succeeds; expected was the error: {text}"));
    }
    round_trip(&after.functions, ops)?;
    let text = after.print();
    if let Some(it) = case.absent().iter().find(|it| text.contains(**it)) {
        return Err(format!("{it} is in what comes after:\n{text}"));
    }
    match runner.run(&phase, &steps, &before, &mut Silent) {
        Ok(again) if again == after => (),
        _ => return Err("run twice, the pass gives two different units".to_owned()),
    }
    same_meaning(&before, &after, pass)?;
    Ok(Checked { after: Some(text), counts: counter.0 })
}

/// The pass with the options of the test, whose first pass it must be.
fn step(case: &Case, pass: &'static PassDef) -> Result<Step, String> {
    let Some(text) = &case.header.passes else { return Ok(Step::new(pass)) };
    // A reproducer names what was still to run after the pass that failed; that is not asked here.
    let end = match (text.find('{'), text.find(',')) {
        (Some(open), Some(comma)) if open < comma => text.find('}').map_or(text.len(), |it| it + 1),
        (_, Some(comma)) => comma,
        _ => text.len(),
    };
    let steps = parse_steps(&text[..end], &[pass]).map_err(|it| it.message)?;
    steps.into_iter().next().ok_or_else(|| "`passes` names no pass".to_owned())
}

#[derive(Default)]
struct Counter(Vec<(&'static str, u64)>);

impl Observer for Counter {
    fn after(&mut self, event: &PassEvent<'_>) {
        self.0.extend_from_slice(event.counts);
    }
}

/// What is printed reads back as what it was.
pub(crate) fn round_trip(functions: &[Function], ops: &[OpRef]) -> Result<(), String> {
    let text = print_module(functions);
    match parse_module("printed", &text, ops) {
        Ok(it) if it == functions => Ok(()),
        Ok(it) => {
            let again = print_module(&it);
            Err(format!("what is printed reads back as something else:\n{}", diff(&text, &again)))
        }
        Err(it) => Err(format!("what is printed does not parse: {}\n{text}", it.message)),
    }
}

/// Every function of both gives the same values. One that cannot be evaluated before is not asked.
fn same_meaning(before: &Unit, after: &Unit, pass: &PassDef) -> Result<(), String> {
    for i in 0..before.functions.len() {
        let old = starting_with(before, i);
        let Some(name) = old.main().map(|it| &it.name) else { continue };
        let Some(at) = after.functions.iter().position(|it| it.name == *name) else { continue };
        // What is given otherwise is evaluated with those who call it.
        let given = |it: &Function| -> Vec<String> {
            let params = it.params.iter().filter(|it| it.kind.is_given());
            params.map(|it| it.name.clone()).collect()
        };
        let kept = given(&before.functions[i]) == given(&after.functions[at]);
        if pass.scope == Scope::Program && before.functions[i].is_subgraph() && !kept {
            continue;
        }
        let exact = pass.tolerance.is_none();
        let Ok(inputs) = ORACLE.inputs(&old, 0, exact) else { continue };
        let new = starting_with(after, at);
        let was = inputs.evaluate(&old)?;
        let is = match inputs.evaluate(&new) {
            Ok(it) => it,
            // The pass has gone on to a level without evaluators.
            Err(_) if !new.can_be_evaluated() => continue,
            Err(it) => return Err(format!("@{name} cannot be evaluated after the pass: {it}")),
        };
        if was.len() != is.len() {
            return Err(format!("@{name} gave {} results and gives {}", was.len(), is.len()));
        }
        for (i, (a, b)) in was.iter().zip(&is).enumerate() {
            same_values(a, b, pass.tolerance)
                .map_err(|it| format!("the pass changes result {i} of @{name}: {it}"))?;
        }
    }
    Ok(())
}

/// The unit with its `i`-th function first: what is evaluated.
fn starting_with(unit: &Unit, i: usize) -> Unit {
    let mut functions = unit.functions.clone();
    functions[..=i].rotate_right(1);
    Unit { functions }
}

/// Compares what went wrong with the errors that a text expects.
pub(crate) fn errors(case: &Case, diags: &[Diag]) -> Result<Checked, String> {
    let mut expected = case.errors();
    let line = |at: usize| case.before[..at.min(case.before.len())].matches('\n').count();
    let mut surprising = Vec::new();
    for diag in diags {
        let place = diag.places.iter().find(|it| it.text == case.name);
        let place = place.map(|it| line(it.range.start));
        let found = expected
            .iter()
            .position(|(at, text)| diag.message.contains(text) && place.is_none_or(|it| it == *at));
        match found {
            Some(it) => {
                expected.remove(it);
            }
            None => surprising.push(match place {
                Some(it) => format!("line {}: {diag}", it + 1),
                None => diag.to_string(),
            }),
        }
    }
    let missing: Vec<String> =
        expected.iter().map(|(at, it)| format!("line {}: not found: {it}", at + 1)).collect();
    match surprising.is_empty() && missing.is_empty() {
        true => Ok(Checked::default()),
        false => Err([surprising, missing].concat().join("\n")),
    }
}

/// Two texts, line by line: what only the first has after `-`, what only the second has after `+`.
pub(crate) fn diff(old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = a.iter().zip(&b).take_while(|it| it.0 == it.1).count();
    let (a, b) = (&a[head..], &b[head..]);
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|it| it.0 == it.1).count();
    let mut res = String::new();
    let start = head.saturating_sub(2);
    for line in old.lines().skip(start).take(head - start) {
        res.push_str(&format!("  {line}\n"));
    }
    for line in &a[..a.len() - tail] {
        res.push_str(&format!("- {line}\n"));
    }
    for line in &b[..b.len() - tail] {
        res.push_str(&format!("+ {line}\n"));
    }
    res
}
