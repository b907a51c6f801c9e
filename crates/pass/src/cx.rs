//! What a pass is given besides the unit.

use std::sync::Mutex;

use crate::{OptionValue, Step, Target};

/// The target, the options of this run of the pass, and a place to count what happened.
pub struct PassCx<'a> {
    /// The machine that is compiled for.
    pub target: &'a Target,
    step: &'a Step,
    /// How often something happened, by name, in the order of first mention.
    counts: Mutex<Vec<(&'static str, u64)>>,
}

impl<'a> PassCx<'a> {
    /// For one run of one step.
    pub fn new(target: &'a Target, step: &'a Step) -> PassCx<'a> {
        PassCx { target, step, counts: Mutex::new(Vec::new()) }
    }

    fn option(&self, name: &str) -> &OptionValue {
        self.step.option(name).expect("a pass asks only for options it declares")
    }

    /// The number that a declared option stands at.
    pub fn int(&self, name: &str) -> i64 {
        match self.option(name) {
            OptionValue::Int(it) => *it,
            OptionValue::Flag(it) => i64::from(*it),
            OptionValue::Text(_) => unreachable!("a number is asked for as it is declared"),
        }
    }

    /// Whether a declared option is on.
    pub fn flag(&self, name: &str) -> bool {
        match self.option(name) {
            OptionValue::Flag(it) => *it,
            OptionValue::Int(it) => *it != 0,
            OptionValue::Text(_) => unreachable!("a flag is asked for as it is declared"),
        }
    }

    /// The word that a declared option stands at.
    pub fn text(&self, name: &str) -> &str {
        match self.option(name) {
            OptionValue::Text(it) => it,
            OptionValue::Int(_) | OptionValue::Flag(_) => {
                unreachable!("a word is asked for as it is declared")
            }
        }
    }

    /// Adds to a counter that `--stats` shows, such as how often a rule fired.
    pub fn count(&self, what: &'static str, times: u64) {
        let mut counts = self.counts.lock().expect("nobody panics while counting");
        match counts.iter_mut().find(|it| it.0 == what) {
            Some(it) => it.1 += times,
            None => counts.push((what, times)),
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counts.lock().expect("nobody panics while counting").clone()
    }
}
