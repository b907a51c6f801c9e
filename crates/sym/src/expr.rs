//! The expression type and its normal form.
//!
//! An [`Expr`] is a sum of products with `i64` coefficients over *atoms*; an atom is a symbol or a
//! [`Call`] of one of the functions in [`Fun`].
//! Two expressions that are equal as polynomials over the same atoms have the same form, so
//! equality of sizes is mostly `==`.
//!
//! What has no form here is [`Expr::undefined`], which absorbs everything built from it: a
//! coefficient outside `i64`, nesting deeper than [`MAX_DEPTH`], more than [`MAX_SIZE`] nodes.
//! The last two keep every recursion over an expression short, whoever wrote the expression.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use crate::fun::Fun;

/// The deepest nesting of calls.
pub const MAX_DEPTH: u16 = 100;

/// The most nodes an expression has when it is written out as a tree.
pub const MAX_SIZE: u32 = 1 << 14;

pub(crate) type Name = Arc<str>;

/// A symbolic size: cheaply clonable, immutable, always in normal form.
///
/// Equality, order and hash are structural, so the order says nothing of the values.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Expr(pub(crate) Repr);

/// Constants and plain symbols are nearly all sizes there are, so they need no node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Repr {
    Int(i64),
    Sym(Name),
    Call(Arc<Call>),
    Sum(Arc<Sum>),
    Undefined,
}

/// A sum that none of the smaller forms can say: at least one term.
pub(crate) struct Sum {
    /// Most sums have one or two, and those need no memory of their own.
    pub(crate) terms: SmallVec<[Term; 2]>,
    pub(crate) constant: i64,
    meta: Meta,
}

/// A function applied to normalised arguments.
pub(crate) struct Call {
    pub(crate) fun: Fun,
    pub(crate) args: SmallVec<[Expr; 2]>,
    meta: Meta,
}

/// A product of atoms, in order, with a coefficient that is not zero.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    pub(crate) mono: Mono,
    pub(crate) coefficient: i64,
}

pub(crate) type Mono = SmallVec<[Factor; 2]>;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Factor {
    pub(crate) atom: Atom,
    pub(crate) power: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Atom {
    Sym(Name),
    Call(Arc<Call>),
}

/// What is asked of a node again and again.
#[derive(Clone, Copy)]
struct Meta {
    hash: u64,
    cost: u64,
    size: u32,
    depth: u16,
}

/// Terms come by falling degree, then by their atoms: `s0*s1 + s0 + s1`.
pub(crate) fn mono_cmp(a: &Mono, b: &Mono) -> Ordering {
    let degree = |it: &Mono| it.iter().map(|it| u64::from(it.power)).sum::<u64>();
    degree(b).cmp(&degree(a)).then_with(|| a.cmp(b))
}

/// Degree of a monomial that is one plain atom.
pub(crate) fn single(mono: &Mono) -> Option<&Atom> {
    match mono.as_slice() {
        [Factor { atom, power: 1 }] => Some(atom),
        _ => None,
    }
}

impl Ord for Expr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }

    /// As [`Expr::min`] by reference: `a.min(b)` on values must not pick by structure.
    fn min(self, other: Self) -> Self {
        Expr::min_of([&self, &other])
    }

    /// As [`Expr::max`] by reference: `a.max(b)` on values must not pick by structure.
    fn max(self, other: Self) -> Self {
        Expr::max_of([&self, &other])
    }
}

impl PartialOrd for Expr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Term {
    fn cmp(&self, other: &Self) -> Ordering {
        mono_cmp(&self.mono, &other.mono).then_with(|| self.coefficient.cmp(&other.coefficient))
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        self.meta.hash == other.meta.hash
            && self.constant == other.constant
            && self.terms == other.terms
    }
}

impl Eq for Sum {}

impl Hash for Sum {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.meta.hash);
    }
}

impl Ord for Sum {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self, other) {
            return Ordering::Equal;
        }
        self.terms.cmp(&other.terms).then_with(|| self.constant.cmp(&other.constant))
    }
}

impl PartialOrd for Sum {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.meta.hash == other.meta.hash && self.fun == other.fun && self.args == other.args
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.meta.hash);
    }
}

impl Ord for Call {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self, other) {
            return Ordering::Equal;
        }
        self.fun.cmp(&other.fun).then_with(|| self.args.cmp(&other.args))
    }
}

impl PartialOrd for Call {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Atom {
    pub(crate) fn to_expr(&self) -> Expr {
        match self {
            Atom::Sym(it) => Expr(Repr::Sym(it.clone())),
            Atom::Call(it) => Expr(Repr::Call(it.clone())),
        }
    }

    fn meta(&self) -> (u64, u32, u16) {
        match self {
            Atom::Sym(_) => (1, 1, 0),
            Atom::Call(it) => (it.meta.cost, it.meta.size, it.meta.depth),
        }
    }
}

impl Term {
    /// What computing the term costs, without the addition that joins it to its neighbours.
    fn cost(&self) -> u64 {
        let mut factors: u64 = 0;
        let mut cost: u64 = 0;
        for Factor { atom, power } in &self.mono {
            factors += u64::from(*power);
            cost = cost.saturating_add(atom.meta().0.saturating_mul(u64::from(*power).min(64)));
        }
        let scaled = match self.coefficient {
            1 => 0,
            -1 => 1,
            _ => 1 + 3,
        };
        cost.saturating_add(3 * factors.saturating_sub(1)).saturating_add(scaled)
    }
}

fn fx(value: &impl Hash) -> u64 {
    let mut state = FxHasher::default();
    value.hash(&mut state);
    state.finish()
}

impl Sum {
    fn meta(terms: &[Term], constant: i64) -> Meta {
        let mut meta = Meta { hash: fx(&(terms, constant)), cost: 0, size: 1, depth: 0 };
        for term in terms {
            meta.cost = meta.cost.saturating_add(term.cost());
            meta.size = meta.size.saturating_add(1);
            for factor in &term.mono {
                let (_, size, depth) = factor.atom.meta();
                meta.size = meta.size.saturating_add(size);
                meta.depth = meta.depth.max(depth);
            }
        }
        let joints = terms.len() as u64 - 1;
        meta.cost = meta.cost.saturating_add(2 * joints);
        if constant != 0 {
            meta.cost = meta.cost.saturating_add(3);
        }
        meta
    }
}

impl Expr {
    /// A constant.
    pub fn int(value: i64) -> Expr {
        Expr(Repr::Int(value))
    }

    /// A symbol. A name that is not `[A-Za-z_][A-Za-z0-9_]*` gives [`Expr::undefined`].
    ///
    /// `zf0` and `zuf0`, with any digits, are the exporter's floating-point symbols; all others
    /// are integers.
    pub fn sym(name: &str) -> Expr {
        if is_name(name) { Expr(Repr::Sym(name.into())) } else { Expr::undefined() }
    }

    /// What has no normal form: a coefficient outside `i64`, or too large an expression.
    /// It absorbs whatever is built from it, and evaluates to an error.
    pub fn undefined() -> Expr {
        Expr(Repr::Undefined)
    }

    /// Whether this is [`Expr::undefined`].
    pub fn is_undefined(&self) -> bool {
        matches!(self.0, Repr::Undefined)
    }

    /// The value of a constant.
    pub fn as_int(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(it) => Some(it),
            _ => None,
        }
    }

    /// The name of a plain symbol.
    pub fn as_sym(&self) -> Option<&str> {
        match &self.0 {
            Repr::Sym(it) => Some(it),
            _ => None,
        }
    }

    /// Whether the value is a floating-point number and not an integer.
    pub fn is_real(&self) -> bool {
        match &self.0 {
            Repr::Sym(it) => is_real_name(it),
            Repr::Call(it) => it.is_real(),
            Repr::Int(_) | Repr::Sum(_) | Repr::Undefined => false,
        }
    }

    /// What computing the value costs: 1 for a leaf, 2 for an addition, 3 for a product,
    /// 20 for a division; [`u64::MAX`] for [`Expr::undefined`].
    pub fn cost(&self) -> u64 {
        match &self.0 {
            Repr::Int(_) | Repr::Sym(_) => 1,
            Repr::Call(it) => it.meta.cost,
            Repr::Sum(it) => it.meta.cost,
            Repr::Undefined => u64::MAX,
        }
    }

    /// The number of nodes of the expression as a tree.
    pub fn size(&self) -> u32 {
        match &self.0 {
            Repr::Int(_) | Repr::Sym(_) | Repr::Undefined => 1,
            Repr::Call(it) => it.meta.size,
            Repr::Sum(it) => it.meta.size,
        }
    }

    pub(crate) fn depth(&self) -> u16 {
        match &self.0 {
            Repr::Int(_) | Repr::Sym(_) | Repr::Undefined => 0,
            Repr::Call(it) => it.meta.depth,
            Repr::Sum(it) => it.meta.depth,
        }
    }

    /// The call that the expression is, when it is nothing else.
    pub(crate) fn as_call(&self) -> Option<&Arc<Call>> {
        match &self.0 {
            Repr::Call(it) => Some(it),
            _ => None,
        }
    }

    pub(crate) fn is_atom(&self, atom: &Atom) -> bool {
        match (&self.0, atom) {
            (Repr::Sym(a), Atom::Sym(b)) => a == b,
            (Repr::Call(a), Atom::Call(b)) => a == b,
            _ => false,
        }
    }

    pub(crate) fn as_atom(&self) -> Option<Atom> {
        match &self.0 {
            Repr::Sym(it) => Some(Atom::Sym(it.clone())),
            Repr::Call(it) => Some(Atom::Call(it.clone())),
            _ => None,
        }
    }

    /// A call of `fun`, as it stands: whoever calls this has normalised it.
    pub(crate) fn call(fun: Fun, args: SmallVec<[Expr; 2]>) -> Expr {
        if args.iter().any(Expr::is_undefined) {
            return Expr::undefined();
        }
        let mut meta =
            Meta { hash: fx(&(fun, &args)), cost: fun.cost(args.len()), size: 1, depth: 0 };
        for arg in &args {
            meta.cost = meta.cost.saturating_add(arg.cost());
            meta.size = meta.size.saturating_add(arg.size());
            meta.depth = meta.depth.max(arg.depth());
        }
        meta.depth += 1;
        if meta.depth > MAX_DEPTH || meta.size > MAX_SIZE {
            return Expr::undefined();
        }
        Expr(Repr::Call(Arc::new(Call { fun, args, meta })))
    }

    /// The sum of sorted, distinct terms and a constant, in its smallest form.
    pub(crate) fn from_terms(
        terms: impl IntoIterator<Item = Term> + AsRef<[Term]>,
        constant: i64,
    ) -> Expr {
        match terms.as_ref() {
            [] => return Expr::int(constant),
            [Term { mono, coefficient: 1 }] if constant == 0 => {
                if let Some(atom) = single(mono) {
                    return atom.to_expr();
                }
            }
            _ => {}
        }
        let meta = Sum::meta(terms.as_ref(), constant);
        if meta.size > MAX_SIZE {
            return Expr::undefined();
        }
        Expr(Repr::Sum(Arc::new(Sum { terms: terms.into_iter().collect(), constant, meta })))
    }

    /// The names of all symbols.
    pub fn symbols(&self) -> BTreeSet<Arc<str>> {
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        self.for_each_symbol(&mut |it| {
            if !names.contains(it) {
                names.insert(it.into());
            }
        });
        names
    }

    /// Calls `f` for every occurrence of a symbol.
    pub fn for_each_symbol(&self, f: &mut dyn FnMut(&str)) {
        match &self.0 {
            Repr::Int(_) | Repr::Undefined => {}
            Repr::Sym(it) => f(it),
            Repr::Call(it) => it.args.iter().for_each(|it| it.for_each_symbol(f)),
            Repr::Sum(it) => {
                for factor in it.terms.iter().flat_map(|it| &it.mono) {
                    match &factor.atom {
                        Atom::Sym(it) => f(it),
                        Atom::Call(it) => it.args.iter().for_each(|it| it.for_each_symbol(f)),
                    }
                }
            }
        }
    }

    /// Calls `f` for every argument of every function in the expression, inner ones too.
    pub fn for_each_argument(&self, f: &mut dyn FnMut(&Expr)) {
        let mut of_call = |it: &Call| {
            for arg in &it.args {
                f(arg);
                arg.for_each_argument(f);
            }
        };
        match &self.0 {
            Repr::Int(_) | Repr::Sym(_) | Repr::Undefined => {}
            Repr::Call(it) => of_call(it),
            Repr::Sum(it) => {
                for factor in it.terms.iter().flat_map(|it| &it.mono) {
                    if let Atom::Call(it) = &factor.atom {
                        of_call(it);
                    }
                }
            }
        }
    }

    /// Whether the symbol occurs.
    pub fn mentions(&self, name: &str) -> bool {
        let mut found = false;
        self.for_each_symbol(&mut |it| found |= it == name);
        found
    }

    /// The expression less its constant term, and that term.
    pub fn split_constant(&self) -> (Expr, i64) {
        match &self.0 {
            Repr::Int(it) => (Expr::int(0), *it),
            Repr::Sum(it) if it.constant != 0 => {
                (Expr::from_terms(it.terms.clone(), 0), it.constant)
            }
            _ => (self.clone(), 0),
        }
    }
}

impl Call {
    pub(crate) fn as_binary(&self, fun: Fun) -> Option<(&Expr, &Expr)> {
        match self.args.as_slice() {
            [a, b] if self.fun == fun => Some((a, b)),
            _ => None,
        }
    }

    pub(crate) fn is_real(&self) -> bool {
        self.fun.is_real(&self.args)
    }
}

impl From<i64> for Expr {
    fn from(value: i64) -> Expr {
        Expr::int(value)
    }
}

impl Default for Expr {
    fn default() -> Expr {
        Expr::int(0)
    }
}

/// Whether the text can name a symbol.
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|it| it == b'_' || it.is_ascii_alphabetic())
        && text.bytes().all(|it| it == b'_' || it.is_ascii_alphanumeric())
}

fn is_real_name(name: &str) -> bool {
    let digits = name.strip_prefix("zuf").or_else(|| name.strip_prefix("zf"));
    digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}
