//! An observer that keeps what a user may ask for: texts, times, counts.

use std::time::Duration;

use crate::{Observer, PassEvent, Step, Unit, Validated};

/// After or before which passes the text is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Select {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those that changed something; before a pass, the same as all.
    Changed,
    /// Those of these names.
    Passes(Vec<String>),
}

impl Select {
    /// Reads `all`, `changed`, or names between commas.
    pub fn parse(text: &str) -> Select {
        match text {
            "all" => Select::All,
            "changed" => Select::Changed,
            names => Select::Passes(names.split(',').map(|it| it.trim().to_owned()).collect()),
        }
    }

    fn takes(&self, pass: &str, changed: bool) -> bool {
        match self {
            Select::Nothing => false,
            Select::All => true,
            Select::Changed => changed,
            Select::Passes(it) => it.iter().any(|it| it == pass),
        }
    }
}

/// One step of a run, as kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The phase.
    pub phase: &'static str,
    /// The pass with its options, as in the pipeline.
    pub step: String,
    /// Whether it changed anything.
    pub changed: bool,
    /// Whether its values were compared with those before it.
    pub validated: Validated,
    /// How long it took, where there was a clock.
    pub time: Option<Duration>,
    /// Ops before and after.
    pub ops: (usize, usize),
    /// What the pass counted.
    pub counts: Vec<(&'static str, u64)>,
}

/// The text of a unit at one point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dump {
    /// `03-tensor-fuse.main.ir`, for a directory of dumps.
    pub file_name: String,
    /// The unit.
    pub text: String,
}

/// Keeps what happened in a run of any number of phases.
pub struct Recorder<'a> {
    before: Select,
    after: Select,
    clock: Option<&'a dyn Fn() -> Duration>,
    /// What happened, in order.
    pub records: Vec<Record>,
    /// The texts that were asked for, in order.
    pub dumps: Vec<Dump>,
    started: Option<Duration>,
}

impl<'a> Recorder<'a> {
    /// Keeps texts from before and after the passes chosen. `clock` is the time since any fixed
    /// moment; where there is none, nothing is timed.
    pub fn new(
        before: Select,
        after: Select,
        clock: Option<&'a dyn Fn() -> Duration>,
    ) -> Recorder<'a> {
        let (records, dumps) = (Vec::new(), Vec::new());
        Recorder { before, after, clock, records, dumps, started: None }
    }

    fn dump(&mut self, phase: &str, step: &Step, kind: &str, unit: &Unit) {
        let number = self.records.len();
        let name = unit.main().map_or("empty", |it| &it.name);
        let pass = step.pass.name;
        let file_name = format!("{number:02}-{phase}-{pass}{kind}.{name}.ir");
        self.dumps.push(Dump { file_name, text: unit.print() });
    }
}

impl Observer for Recorder<'_> {
    fn before(&mut self, phase: &'static str, _index: usize, step: &Step, unit: &Unit) {
        if self.before.takes(step.pass.name, true) {
            self.dump(phase, step, ".before", unit);
        }
        self.started = self.clock.map(|it| it());
    }

    fn after(&mut self, event: &PassEvent<'_>) {
        let time = match (self.clock, self.started) {
            (Some(clock), Some(started)) => Some(clock().saturating_sub(started)),
            _ => None,
        };
        if self.after.takes(event.step.pass.name, event.changed) {
            self.dump(event.phase, event.step, "", event.after);
        }
        self.records.push(Record {
            phase: event.phase,
            step: event.step.to_string(),
            changed: event.changed,
            validated: event.validated.clone(),
            time,
            ops: (event.before.op_count(), event.after.op_count()),
            counts: event.counts.to_vec(),
        });
    }
}
