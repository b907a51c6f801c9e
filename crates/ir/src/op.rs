//! Op definitions: everything the compiler knows about one op, in one place.

use std::fmt;

use diag::Diag;
use sym::Facts;

use crate::{
    Arg, Attr, AttrKind, AttrTy, Body, HostValue, Op, Region, Result, TensorType, Type, ValueId,
    scalar::ScalarFn,
};

/// How many values an operand takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OperandKind {
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// Any number.
    Many,
    /// Any number, entries may be absent.
    ManyOptional,
}

impl OperandKind {
    /// Whether `arg` is of this kind.
    pub fn admits(self, arg: &Arg) -> bool {
        match (self, arg) {
            (OperandKind::One | OperandKind::Optional, Arg::Value(_))
            | (OperandKind::Optional, Arg::None)
            | (OperandKind::ManyOptional, Arg::List(_)) => true,
            (OperandKind::Many, Arg::List(it)) => it.iter().all(Option::is_some),
            _ => false,
        }
    }
}

/// A declared operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OperandDef {
    /// Its name.
    pub name: &'static str,
    /// How many values it takes.
    pub kind: OperandKind,
}

/// A declared attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttrDef {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: AttrKind,
    /// Whether it may be left out.
    pub optional: bool,
}

/// How many regions and results an op may have is up to `infer`; this says what it may rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultCount {
    /// As many as `infer` gives.
    Inferred,
    /// As many as the op was made with: an op that says what an outside author wrote.
    Stated,
}

/// What an op does besides computing its results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effects {
    /// Nothing: it may be removed, repeated and moved.
    Pure,
    /// Reads memory that others write.
    Reads,
    /// Writes memory that others read, or does something a user sees.
    Writes,
    /// Makes memory.
    Alloc,
    /// Draws random numbers.
    Random,
}

/// What a result has to do with the operands' memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alias {
    /// Nothing.
    Fresh,
    /// A view of that operand.
    ViewOf(usize),
    /// That operand, written in place.
    InPlace(usize),
    /// Each result says so for itself in the schema.
    BySchema,
}

/// Why an op could not be evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvalError(pub String);

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an evaluator may ask for.
pub struct EvalCx<'a> {
    /// The op.
    pub view: View<'a>,
    /// The value of each operand, flattened in order; absent entries are left out.
    pub operands: &'a [HostValue],
    /// The value of a size symbol.
    pub size: &'a dyn Fn(&sym::Expr) -> std::result::Result<i64, EvalError>,
    /// The value of an expression that may be a floating-point number.
    pub number: &'a dyn Fn(&sym::Expr) -> std::result::Result<sym::Number, EvalError>,
    /// Runs the `n`-th region: its parameters' values, extra bindings of symbols, its yields.
    #[expect(clippy::type_complexity, reason = "one callback, named by its field")]
    pub run: &'a dyn Fn(
        usize,
        &[HostValue],
        &[(&str, i64)],
    ) -> std::result::Result<Vec<HostValue>, EvalError>,
    /// Runs the program's function of that name: its parameters' values, its results.
    #[expect(clippy::type_complexity, reason = "one callback, named by its field")]
    pub call: &'a dyn Fn(&str, &[HostValue]) -> std::result::Result<Vec<HostValue>, EvalError>,
    /// Gives a symbol its value, from here on.
    pub bind: &'a dyn Fn(&str, sym::Number) -> std::result::Result<(), EvalError>,
    /// Replaces a value from here on: a parameter becomes the memory that it lies in.
    pub set: &'a dyn Fn(ValueId, HostValue),
    /// What statements have handed to the caller, by the output's number.
    pub given: &'a std::cell::RefCell<Vec<Option<HostValue>>>,
}

/// Evaluates an op on the host.
pub type EvalFn = fn(&EvalCx<'_>) -> std::result::Result<Vec<HostValue>, EvalError>;

/// How an op calls functions of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calls {
    /// The attributes that name the functions. Each is given the same.
    pub bodies: &'static [&'static str],
    /// The operands that hold what is given, in order.
    pub given: &'static [&'static str],
    /// Which of those, the last, is given as it is at every call that the op makes: neither carried
    /// from turn to turn nor a part of what the op has.
    pub kept: &'static str,
}

/// Everything the compiler knows about one op. Printing, parsing, verification, dead-code removal,
/// evaluation and the book all read this; none has a per-op arm.
#[derive(Clone, Copy)]
pub struct OpDef {
    /// `dialect.name`.
    pub name: &'static str,
    /// Documentation in Markdown with one example in an `ir` fence.
    pub doc: &'static str,
    /// Operands in order.
    pub operands: &'static [OperandDef],
    /// Attributes in the order they are printed.
    pub attrs: &'static [AttrDef],
    /// The types of the results. The one statement of the op's typing rule.
    pub infer: fn(View<'_>) -> Result<Vec<Type>>,
    /// Where the result types come from.
    pub results: ResultCount,
    /// What it does besides.
    pub effects: Effects,
    /// Whether it can fail at run time.
    pub may_trap: bool,
    /// What its result aliases.
    pub alias: Alias,
    /// Whether its first two operands may be exchanged.
    pub commutative: bool,
    /// Whether its regions see nothing from outside but their parameters.
    pub isolated: bool,
    /// Constraints that types cannot say.
    pub verify: fn(View<'_>) -> Result<()>,
    /// A value among the operands that the op equals, where it does.
    pub fold: fn(View<'_>) -> Option<ValueId>,
    /// The function it applies to each element, if that is all it does.
    pub scalar: Option<ScalarFn>,
    /// Its value.
    pub eval: Option<EvalFn>,
    /// The functions it calls, if it does.
    pub calls: Option<Calls>,
    /// Where it is declared: file and line.
    pub place: (&'static str, u32),
}

impl OpDef {
    /// A pure op with no constraint beyond its types.
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        operands: &'static [OperandDef],
        attrs: &'static [AttrDef],
        infer: fn(View<'_>) -> Result<Vec<Type>>,
        effects: Effects,
    ) -> OpDef {
        const fn no_fold(_: View<'_>) -> Option<ValueId> {
            None
        }
        const fn no_verify(_: View<'_>) -> Result<()> {
            Ok(())
        }
        OpDef {
            name,
            doc,
            operands,
            attrs,
            infer,
            results: ResultCount::Inferred,
            effects,
            may_trap: false,
            alias: Alias::Fresh,
            commutative: false,
            isolated: false,
            verify: no_verify,
            fold: no_fold,
            scalar: None,
            eval: None,
            calls: None,
            place: ("", 0),
        }
    }

    /// The dialect's name.
    pub fn dialect(&self) -> &'static str {
        self.name.split_once('.').map_or("", |it| it.0)
    }
}

/// A handle to a definition; equal by name.
#[derive(Clone, Copy)]
pub struct OpRef(pub &'static OpDef);

impl PartialEq for OpRef {
    fn eq(&self, other: &OpRef) -> bool {
        std::ptr::eq(self.0, other.0) || self.0.name == other.0.name
    }
}
impl Eq for OpRef {}
impl fmt::Debug for OpRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// An op seen through the types of the values around it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The type of each value made so far, by number.
    pub types: &'a [Type],
    /// What is known of the symbols.
    pub facts: &'a Facts,
    /// The op.
    pub op: &'a Op,
}

impl<'a> View<'a> {
    /// An op of a finished body.
    pub fn of(body: &'a Body, facts: &'a Facts, op: &'a Op) -> View<'a> {
        View { types: &body.types, facts, op }
    }

    /// The argument for the operand of that name.
    pub fn arg(self, name: &str) -> &'a Arg {
        let i = self.op.def.0.operands.iter().position(|it| it.name == name);
        &self.op.args[i.expect("a declared operand is asked for")]
    }

    /// The value of a single operand.
    pub fn operand(self, name: &str) -> ValueId {
        match self.arg(name) {
            Arg::Value(it) => *it,
            Arg::None | Arg::List(_) => {
                unreachable!("the builder admits only a value for a single operand")
            }
        }
    }

    /// The value of an optional operand.
    pub fn optional(self, name: &str) -> Option<ValueId> {
        match self.arg(name) {
            Arg::Value(it) => Some(*it),
            Arg::None | Arg::List(_) => None,
        }
    }

    /// The values of a variadic operand; absent entries are left out.
    pub fn list(self, name: &str) -> Vec<ValueId> {
        self.arg(name).values().collect()
    }

    /// The attribute of that name as it stands.
    pub fn raw_attr(self, name: &str) -> &'a Attr {
        let i = self.op.def.0.attrs.iter().position(|it| it.name == name);
        &self.op.attrs[i.expect("a declared attribute is asked for")]
    }

    /// The attribute of that name.
    pub fn attr<T: AttrTy>(self, name: &str) -> T {
        T::of_attr(self.raw_attr(name)).expect("the builder admits only attributes of their kind")
    }

    /// The functions that the op calls, by name.
    pub fn called(self) -> impl Iterator<Item = String> + use<'a> {
        let bodies = self.op.def.0.calls.map_or(&[][..], |it| it.bodies);
        bodies.iter().map(move |it| self.attr::<crate::RefName>(it).0)
    }

    /// What each of the called functions is given, in order.
    pub fn given(self) -> Vec<ValueId> {
        let given = self.op.def.0.calls.map_or(&[][..], |it| it.given);
        given.iter().flat_map(|it| self.list(it)).collect()
    }

    /// The type of a value.
    pub fn ty(self, value: ValueId) -> &'a Type {
        &self.types[value.index()]
    }

    /// The type of a value that must be a tensor.
    pub fn tensor(self, value: ValueId) -> Result<&'a TensorType> {
        match self.ty(value) {
            Type::Tensor(it) => Ok(it),
            it => Err(self.error(format!("{value} is {it}, not a tensor"))),
        }
    }

    /// The `n`-th region.
    pub fn region(self, n: usize) -> Result<&'a Region> {
        self.op.regions.get(n).ok_or_else(|| self.error(format!("region {n} is missing")))
    }

    /// A diagnostic about this op.
    pub fn error(self, message: impl fmt::Display) -> Diag {
        Diag::error(&diag::codes::OP, format!("{}: {message}", self.op.def.0.name))
            .at(self.op.origin.0)
    }
}
