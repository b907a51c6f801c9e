//! What a planned function keeps where, for people to see and tools to measure.

use ir::{AttrTy, Function, Op, Origin, TensorType, Type, ValueId};
use sym::{Expr, Facts};

use crate::{
    arena::{Item, lower_bound},
    lives::Lives,
    plan_memory::bytes,
};

pub use wrapper::model_symbols;

/// A tensor in the arena.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its value.
    pub value: ValueId,
    /// Its type.
    pub ty: TensorType,
    /// From the arena's start, in bytes.
    pub offset: Expr,
    /// Its bytes, up to the next multiple of the alignment.
    pub size: Expr,
    /// The first statement that uses it and the one after the last; equal if nothing does.
    pub life: (usize, usize),
    /// The kernel that writes it first.
    pub kernel: Option<String>,
    /// What it came from: the node of the statement that writes it first.
    pub origin: Origin,
}

/// An arena of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArenaUse {
    /// Its bytes.
    pub size: Expr,
    /// Its tensors in program order.
    pub places: Vec<Place>,
    /// How many statements there are.
    pub end: usize,
    /// What is known of the symbols.
    pub facts: Facts,
}

impl ArenaUse {
    /// The arenas of a planned function, in the order in which they are made.
    pub fn all(function: &Function) -> Vec<ArenaUse> {
        let mut arenas: Vec<(ValueId, Expr)> = Vec::new();
        let mut slices: Vec<(ValueId, ValueId, Expr)> = Vec::new();
        let mut calls: Vec<(ValueId, String, Origin)> = Vec::new();
        // In terms of the model's symbols.
        let mut named: Vec<(String, Expr)> = Vec::new();
        let size = |op: &Op, attribute: &str, named: &[(String, Expr)]| {
            let value = attr::<Expr>(op, attribute)?;
            Some(value.subst(&|name| named.iter().find(|it| it.0 == name).map(|it| it.1.clone())))
        };
        function.body.for_each_op(&mut |op| match op.def.0.name {
            "wrapper.size" => {
                let value = size(op, "value", &named);
                named.extend(attr::<String>(op, "symbol").zip(value));
            }
            "wrapper.arena" => {
                arenas.extend(size(op, "size", &named).map(|it| (op.result(), it)));
            }
            "wrapper.slice" => {
                let arena = op.operands().next();
                let place = arena.zip(size(op, "offset", &named));
                slices.extend(place.map(|it| (op.result(), it.0, it.1)));
            }
            "wrapper.call" => {
                let kernel = attr::<ir::RefName>(op, "kernel").map_or(String::new(), |it| it.0);
                let written = op.args.get(1).into_iter().flat_map(ir::Arg::values);
                calls.extend(written.map(|it| (it, kernel.clone(), op.origin)));
            }
            _ => (),
        });
        let lives = Lives::of(function);
        let of_arena = |(arena, size): (ValueId, Expr)| {
            let places = lives.roots.iter().enumerate().filter_map(|(i, root)| {
                let Type::Tensor(ty) = function.body.ty(root.value) else { return None };
                let slice = slices.iter().find(|it| (it.0, it.1) == (root.value, arena))?;
                let writer = calls.iter().find(|it| lives.owners[it.0.index()].contains(&i));
                Some(Place {
                    value: root.value,
                    ty: ty.clone(),
                    offset: slice.2.clone(),
                    size: bytes(function.body.ty(root.value), &function.facts),
                    life: root.life.unwrap_or((0, 0)),
                    kernel: writer.map(|it| it.1.clone()),
                    origin: writer.map_or(Origin::NONE, |it| it.2),
                })
            });
            ArenaUse {
                size,
                places: places.collect(),
                end: lives.end,
                facts: function.facts.clone(),
            }
        };
        arenas.into_iter().map(of_arena).collect()
    }

    /// The arena at some sizes; an error if an expression has no value there.
    pub fn at(&self, value: &dyn Fn(&str) -> Option<i64>) -> Result<ArenaAt, String> {
        let eval = |it: &Expr| it.eval(value).map_err(|error| format!("{it}: {error}"));
        let mut res = ArenaAt { size: eval(&self.size)?, items: Vec::new(), offsets: Vec::new() };
        for it in &self.places {
            res.items.push(Item {
                start: it.life.0 as i64,
                end: it.life.1 as i64,
                size: eval(&it.size)?,
            });
            res.offsets.push(eval(&it.offset)?);
        }
        Ok(res)
    }
}

/// The bytes of a function's own arenas.
pub fn own_bytes(function: &Function) -> Expr {
    ArenaUse::all(function).into_iter().fold(Expr::int(0), |sum, it| sum + it.size)
}

/// The most bytes that bodies of control flow have at once while a function runs, those that they
/// call among them. A body has its memory only while it runs, so branches and turns of a loop share.
pub fn bodies_bytes(functions: &[Function], function: &Function) -> Expr {
    // No body calls itself, so no chain of calls is longer than there are functions.
    called_bytes(functions, function, functions.len())
}

fn called_bytes(functions: &[Function], function: &Function, depth: usize) -> Expr {
    let mut res = Expr::int(0);
    function.body.for_each_op(&mut |op| {
        if op.def.0.name == "wrapper.call" || depth == 0 {
            return;
        }
        for name in op.def.0.attrs.iter().filter_map(|it| attr::<ir::RefName>(op, it.name)) {
            if let Some(body) = functions.iter().find(|it| it.name == name.0) {
                let below = called_bytes(functions, body, depth - 1);
                res = Expr::max(&res, &(own_bytes(body) + below));
            }
        }
    });
    res
}

fn attr<T: AttrTy>(op: &Op, name: &str) -> Option<T> {
    let i = op.def.0.attrs.iter().position(|it| it.name == name)?;
    T::of_attr(op.attrs.get(i)?)
}

/// The arena of a function at some sizes, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArenaAt {
    /// The arena's.
    pub size: i64,
    /// Lives and sizes of its tensors.
    pub items: Vec<Item>,
    /// Where each begins.
    pub offsets: Vec<i64>,
}

impl ArenaAt {
    /// The most that is in use at one moment.
    pub fn lower_bound(&self) -> i64 {
        lower_bound(&self.items)
    }

    /// What is wrong: two tensors that overlap while both are in use, or one outside the arena.
    pub fn fault(&self) -> Option<String> {
        for (i, (a, at)) in self.items.iter().zip(&self.offsets).enumerate() {
            if *at < 0 || self.size < at + a.size {
                return Some(format!("tensor {i} lies outside the arena"));
            }
            for (j, (b, other)) in self.items.iter().zip(&self.offsets).enumerate().take(i) {
                if a.meets(b) && *at < other + b.size && *other < at + a.size {
                    return Some(format!("tensors {j} and {i} overlap"));
                }
            }
        }
        None
    }
}
