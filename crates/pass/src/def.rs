//! Passes as data.

use std::{borrow::Cow, fmt};

use diag::Diag;

use crate::{Legality, PassCx, Unit, rules::Rule};

/// What a pass does.
pub type RunFn = fn(&Unit, &PassCx<'_>) -> Result<Unit, Vec<Diag>>;

/// What a pass has to see at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One function with what was outlined from it.
    Function,
    /// All functions of the program, which call each other. Such passes come first in their phase,
    /// since from there on each function goes its own way. They may change what functions are given
    /// and give, and drop all but the model's own.
    Program,
}

/// Everything known of one pass. Pipelines, runner, tests and book all read this.
///
/// ```
/// use pass::{Legality, PassCx, PassDef, Unit};
///
/// /// Does nothing.
/// pub static NOTHING: PassDef = PassDef {
///     requires: Legality::only(&["tensor"]),
///     ..PassDef::new("nothing", "Does nothing.", "# nothing\n", run)
/// };
///
/// fn run(unit: &Unit, _: &PassCx<'_>) -> Result<Unit, Vec<diag::Diag>> {
///     Ok(unit.clone())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct PassDef {
    /// Its name in pipelines and flags, the same as its folder's.
    pub name: &'static str,
    /// One line for `--help` and the book's table.
    pub summary: &'static str,
    /// Its page in the book: `include_str!("README.md")`. The `ir` fences in it are tests.
    pub doc: &'static str,
    /// What it has to see at once.
    pub scope: Scope,
    /// What can be set in a pipeline.
    pub options: &'static [OptionDef],
    /// What it can be given. A pipeline that may give it more is rejected when it is built.
    pub requires: Legality,
    /// What remains after it; `None` where it adds nothing that was not legal before, or leaves it
    /// to the end of the phase to say.
    pub ensures: Option<Legality>,
    /// How far floats may be from those before, relative to their size. `None` where every bit
    /// stays; what reassociates says how much it allows.
    pub tolerance: Option<f64>,
    /// The rules it rewrites by, if it does; each is fired by some test of the pass.
    pub rules: &'static [Rule],
    /// What it does. A function of its arguments alone, and the same unit every time.
    pub run: RunFn,
}

impl PassDef {
    /// A pass without options that takes anything, makes nothing illegal and keeps every bit.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        doc: &'static str,
        run: RunFn,
    ) -> PassDef {
        PassDef {
            name,
            summary,
            doc,
            scope: Scope::Function,
            options: &[],
            requires: Legality::ANY,
            ensures: None,
            tolerance: None,
            rules: &[],
            run,
        }
    }
}

impl fmt::Debug for PassDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Equal by name: the lists of passes keep names unique.
impl PartialEq for PassDef {
    fn eq(&self, other: &PassDef) -> bool {
        self.name == other.name
    }
}
impl Eq for PassDef {}

/// What can be set of a pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionDef {
    /// Its name in a pipeline.
    pub name: &'static str,
    /// Its value where a pipeline says nothing; it also says of what kind the value is.
    pub default: OptionValue,
    /// What it does, in one line.
    pub help: &'static str,
}

impl OptionDef {
    /// A number.
    pub const fn int(name: &'static str, default: i64, help: &'static str) -> OptionDef {
        OptionDef { name, default: OptionValue::Int(default), help }
    }

    /// `true` or `false`.
    pub const fn flag(name: &'static str, default: bool, help: &'static str) -> OptionDef {
        OptionDef { name, default: OptionValue::Flag(default), help }
    }

    /// A word.
    pub const fn text(name: &'static str, default: &'static str, help: &'static str) -> OptionDef {
        OptionDef { name, default: OptionValue::Text(Cow::Borrowed(default)), help }
    }
}

/// The value of an option.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum OptionValue {
    /// A number.
    Int(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A word: letters, digits and `-_.+/`.
    Text(Cow<'static, str>),
}

impl OptionValue {
    /// Reads a value of the same kind as `self`.
    pub(crate) fn parse_like(&self, text: &str) -> Option<OptionValue> {
        match self {
            OptionValue::Int(_) => text.parse().ok().map(OptionValue::Int),
            OptionValue::Flag(_) => text.parse().ok().map(OptionValue::Flag),
            OptionValue::Text(_) => Some(OptionValue::Text(Cow::Owned(text.to_owned()))),
        }
    }

    /// What a value of this kind is called.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            OptionValue::Int(_) => "a number",
            OptionValue::Flag(_) => "`true` or `false`",
            OptionValue::Text(_) => "a word",
        }
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Int(it) => write!(f, "{it}"),
            OptionValue::Flag(it) => write!(f, "{it}"),
            OptionValue::Text(it) => f.write_str(it),
        }
    }
}
