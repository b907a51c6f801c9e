//! The runner: a list of passes over a unit, and everything around it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use diag::{Diag, codes};
use ir::HostTensor;

use crate::{Legality, PassCx, Repro, Step, Target, Unit, compare::same_values, repro::Headline};

/// Evaluates a unit on inputs that whoever made the callback chose, the same each time. Called
/// from several threads.
pub type Evaluate<'a> = dyn Fn(&Unit) -> Evaluated + Sync + 'a;

/// What a unit gives, or why nothing.
type Evaluated = Result<Vec<HostTensor>, String>;

/// What the runner needs to know of a phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phase {
    /// Its name in pipelines.
    pub name: &'static str,
    /// What may be there before it.
    pub requires: Legality,
    /// What may remain after it.
    pub ensures: Legality,
}

/// What evaluating before and after a step has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Validated {
    /// Nobody asked for it, or the step changed nothing.
    Unneeded,
    /// The values are the same.
    Same,
    /// Nothing was compared, since the unit before or after cannot be evaluated; why.
    Skipped(String),
}

/// What happened in one step.
pub struct PassEvent<'a> {
    /// The phase.
    pub phase: &'static str,
    /// The number of the step in its phase, from 0.
    pub index: usize,
    /// The pass with its options.
    pub step: &'a Step,
    /// The unit before.
    pub before: &'a Unit,
    /// The unit after.
    pub after: &'a Unit,
    /// Whether the two differ.
    pub changed: bool,
    /// Whether its values were compared.
    pub validated: Validated,
    /// What the pass counted, such as how often each rule fired.
    pub counts: &'a [(&'static str, u64)],
}

/// Watches a run. What it sees it may print, time or keep; it cannot change the run. Of a run
/// that is evaluated it sees a step when its values have been compared.
pub trait Observer {
    /// Called before each step.
    fn before(&mut self, _phase: &'static str, _index: usize, _step: &Step, _unit: &Unit) {}
    /// Called after each step that went well.
    fn after(&mut self, _event: &PassEvent<'_>) {}
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {}

/// How passes are run.
pub struct Runner<'a> {
    /// The machine that is compiled for.
    pub target: &'a Target,
    /// Whether structure, types and legality are checked after each pass, not at the end alone.
    pub verify_each: bool,
    /// Where given, the unit is evaluated before and after each pass, and the values are compared.
    pub evaluate: Option<&'a Evaluate<'a>>,
}

/// What a run that went wrong leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What went wrong.
    pub diags: Vec<Diag>,
    /// The file that replays it.
    pub repro: Repro,
}

impl Runner<'_> {
    /// Runs `steps` over `unit`. At the end the unit is verified and has to keep what the phase
    /// promises, whether or not each pass was checked before.
    pub fn run(
        &self,
        phase: &Phase,
        steps: &[Step],
        unit: &Unit,
        observer: &mut dyn Observer,
    ) -> Result<Unit, Failure> {
        let after = self.run_steps(phase, steps, unit, observer)?;
        let promise = format!("phase `{}`", phase.name);
        let diags = check(&after, &phase.ensures, &promise);
        if diags.is_empty() {
            return Ok(after);
        }
        Err(self.failure(phase, steps, unit, &promise, diags))
    }

    /// Runs `steps` over `unit` and promises nothing: for the beginning of a phase's list.
    pub fn run_steps(
        &self,
        phase: &Phase,
        steps: &[Step],
        unit: &Unit,
        observer: &mut dyn Observer,
    ) -> Result<Unit, Failure> {
        let mut unit = unit.clone();
        let mut unseen = Vec::new();
        for index in 0..steps.len() {
            if self.evaluate.is_none() {
                observer.before(phase.name, index, &steps[index], &unit);
            }
            let ran = match self.step(phase, &steps[index..], &unit) {
                Ok((after, counts)) => {
                    Ran { index, changed: unit != after, before: unit, after, counts }
                }
                // A value that changed before says more.
                Err(failure) => {
                    self.validate(phase, steps, &unseen, observer)?;
                    return Err(failure);
                }
            };
            unit = ran.after.clone();
            match self.evaluate {
                None => ran.show(phase, steps, Validated::Unneeded, observer),
                Some(_) => unseen.push(ran),
            }
        }
        self.validate(phase, steps, &unseen, observer)?;
        Ok(unit)
    }

    /// Runs the first of `steps`.
    fn step(&self, phase: &Phase, steps: &[Step], unit: &Unit) -> Result<(Unit, Counts), Failure> {
        let step = &steps[0];
        let cx = PassCx::new(self.target, step);
        let what = format!("pass `{}`", step.pass.name);
        let fail = |diags| Err(self.failure(phase, steps, unit, &what, diags));
        let after = match caught(step, unit, &cx) {
            Ok(it) => it,
            Err(diags) => return fail(diags),
        };
        if self.verify_each {
            let promised = step.pass.ensures.unwrap_or(Legality::ANY);
            let mut diags = check(&after, &promised, &what);
            diags.extend(check_name(unit, &after));
            if !diags.is_empty() {
                return fail(diags);
            }
        }
        Ok((after, cx.counts()))
    }

    /// Compares the values before and after each step, and shows the steps up to the first that
    /// changed one. Passes take milliseconds and evaluations minutes, so all units are evaluated
    /// at once, by as many threads as there are.
    fn validate(
        &self,
        phase: &Phase,
        steps: &[Step],
        all: &[Ran],
        observer: &mut dyn Observer,
    ) -> Result<(), Failure> {
        let Some(evaluate) = self.evaluate else { return Ok(()) };
        let changed: Vec<&Ran> = all.iter().filter(|it| it.changed).collect();
        let units = changed.first().map(|it| &it.before).into_iter();
        let units: Vec<&Unit> = units.chain(changed.iter().map(|it| &it.after)).collect();
        let mut values = evaluate_all(evaluate, &units).into_iter();
        let mut before = values.next();
        for ran in all {
            let step = &steps[ran.index];
            observer.before(phase.name, ran.index, step, &ran.before);
            let mut validated = Validated::Unneeded;
            if ran.changed
                && let Some(new) = values.next()
            {
                validated = compare(before.as_ref(), &new, &ran.after, step).map_err(|diag| {
                    let what = format!("pass `{}`", step.pass.name);
                    self.failure(phase, &steps[ran.index..], &ran.before, &what, vec![*diag])
                })?;
                before = Some(new);
            }
            ran.show(phase, steps, validated, observer);
        }
        Ok(())
    }

    fn failure(
        &self,
        phase: &Phase,
        rest: &[Step],
        before: &Unit,
        what: &str,
        diags: Vec<Diag>,
    ) -> Failure {
        let headline = Headline { phase: phase.name, rest, target: self.target, what };
        let repro = Repro::new(&headline, before, &diags);
        Failure { diags, repro }
    }
}

/// What a pass counted.
type Counts = Vec<(&'static str, u64)>;

/// A step that went well.
struct Ran {
    index: usize,
    changed: bool,
    before: Unit,
    after: Unit,
    counts: Counts,
}

impl Ran {
    fn show(
        &self,
        phase: &Phase,
        steps: &[Step],
        validated: Validated,
        observer: &mut dyn Observer,
    ) {
        observer.after(&PassEvent {
            phase: phase.name,
            index: self.index,
            step: &steps[self.index],
            before: &self.before,
            after: &self.after,
            changed: self.changed,
            validated,
            counts: &self.counts,
        });
    }
}

/// The values of each unit. The first that has any chooses the inputs of all, so the others wait.
fn evaluate_all(evaluate: &Evaluate<'_>, units: &[&Unit]) -> Vec<Evaluated> {
    let mut res = Vec::new();
    for unit in units {
        res.push(evaluate(unit));
        if res.last().is_some_and(Result::is_ok) {
            break;
        }
    }
    let rest = &units[res.len()..];
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(rest.len());
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(unit) = rest.get(at)
                {
                    let values = evaluate(unit);
                    found.lock().unwrap_or_else(|it| it.into_inner()).push((at, values));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(|it| it.into_inner());
    found.sort_by_key(|it| it.0);
    res.extend(found.into_iter().map(|it| it.1));
    res
}

/// Runs one pass; a panic in it is an error of that pass.
fn caught(step: &Step, unit: &Unit, cx: &PassCx<'_>) -> Result<Unit, Vec<Diag>> {
    let run = || (step.pass.run)(unit, cx);
    // Nothing the pass can reach outlives it but the counters, which a panic leaves readable.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|it| (*it).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let message = format!("pass `{}` panicked: {text}", step.pass.name);
        Err(vec![Diag::error(&codes::PASS, message)])
    })
}

fn check(unit: &Unit, legality: &Legality, promise: &str) -> Vec<Diag> {
    let mut diags = unit.verify();
    for it in &mut diags {
        it.notes.push(format!("after {promise}"));
    }
    diags.extend(legality.check(unit, promise));
    diags
}

/// The first function is what everybody else calls this unit by.
fn check_name(before: &Unit, after: &Unit) -> Option<Diag> {
    let name = |it: &Unit| it.main().map(|it| it.name.clone());
    let (old, new) = (name(before), name(after));
    (old != new).then(|| {
        let show = |it: Option<String>| it.map_or("nothing".to_owned(), |it| format!("@{it}"));
        let message = format!("the unit of {} became that of {}", show(old), show(new));
        Diag::error(&codes::BODY, message)
    })
}

/// What cannot be evaluated before a pass is not compared. What no longer can after it is wrong,
/// unless the pass has gone on to a level without evaluators.
fn compare(
    before: Option<&Evaluated>,
    after: &Evaluated,
    unit: &Unit,
    step: &Step,
) -> Result<Validated, Box<Diag>> {
    let before = match before {
        Some(Ok(it)) => it,
        Some(Err(it)) => return Ok(Validated::Skipped(format!("before it: {it}"))),
        None => return Ok(Validated::Unneeded),
    };
    let name = step.pass.name;
    let wrong = |message: String| Err(Box::new(Diag::error(&codes::VALIDATE, message)));
    let after = match after {
        Ok(it) => it,
        Err(it) if unit.can_be_evaluated() => {
            return wrong(format!("after pass `{name}` nothing can be evaluated: {it}"));
        }
        Err(it) => return Ok(Validated::Skipped(format!("after it: {it}"))),
    };
    if before.len() != after.len() {
        let (a, b) = (before.len(), after.len());
        return wrong(format!("pass `{name}` changed the number of results from {a} to {b}"));
    }
    for (i, (a, b)) in before.iter().zip(after).enumerate() {
        if let Err(difference) = same_values(a, b, step.pass.tolerance) {
            return wrong(format!("pass `{name}` changed result {i}: {difference}"));
        }
    }
    Ok(Validated::Same)
}
