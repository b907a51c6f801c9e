//! Walks over the loads and stores of a kernel's region, with the axes around each.

use std::{collections::BTreeSet, sync::Arc};

use ir::{AttrTy, Body, Op, Region, TensorType, Type, ValueId, View};
use loops::{Fold, For, Kernel, Load, Reduce, Store, axis_facts, linear_offset};
use sym::{Expr, Facts};

/// A load or store.
pub(crate) struct Access {
    /// Its place in elements from the tensor's first.
    pub offset: Expr,
    pub is_store: bool,
    /// Whether the program computes the place, or the store combines: then order may matter.
    pub is_dynamic: bool,
    /// The symbols, axes among them, that the computed part of the place depends on.
    pub varies_with: BTreeSet<Arc<str>>,
    /// What holds inside the loops around.
    pub facts: Facts,
}

/// Everything in a region that depends on its axes.
#[derive(Default)]
pub(crate) struct Uses {
    pub accesses: Vec<Access>,
    /// Index expressions that become elements.
    pub indices: Vec<(Expr, Facts)>,
}

/// What the region uses; `facts` hold around it.
pub(crate) fn uses(body: &Body, region: &Region, facts: &Facts) -> Uses {
    let mut walk =
        Walk { body, depends: vec![BTreeSet::new(); body.types.len()], out: Uses::default() };
    walk.region(region, facts);
    walk.out
}

struct Walk<'a> {
    body: &'a Body,
    /// For each value the symbols its elements depend on.
    depends: Vec<BTreeSet<Arc<str>>>,
    out: Uses,
}

impl Walk<'_> {
    /// Returns what anything in the region depends on.
    fn region(&mut self, region: &Region, facts: &Facts) -> BTreeSet<Arc<str>> {
        let mut all = BTreeSet::new();
        for op in &region.ops {
            let depends = self.op(op, facts);
            op.results().for_each(|it| self.depends[it.index()] = depends.clone());
            all.extend(depends);
        }
        all
    }

    fn op(&mut self, op: &Op, facts: &Facts) -> BTreeSet<Arc<str>> {
        let view = View::of(self.body, facts, op);
        let mut depends: BTreeSet<Arc<str>> =
            op.operands().flat_map(|it| self.depends[it.index()].iter().cloned()).collect();
        if let Some(it) = Load::of(view) {
            let is_dynamic = !it.dynamic().is_empty();
            depends.extend(self.access(it.t(), &it.at(), &it.dynamic(), is_dynamic, false, facts));
        } else if let Some(it) = Store::of(view) {
            let is_dynamic = !it.dynamic().is_empty() || it.mode() != "set";
            self.access(it.t(), &it.at(), &it.dynamic(), is_dynamic, true, facts);
        } else if op.def.0.name == "loops.index" {
            let value: Expr = view.attr("value");
            depends.extend(value.symbols());
            self.out.indices.push((value, facts.clone()));
        }
        if let Some(axes) = axes_of(self.body, op) {
            let inner = axis_facts(facts, &axes);
            op.regions.iter().for_each(|it| depends.extend(self.region(it, &inner)));
        }
        depends
    }

    /// Returns the symbols that the place itself is made of.
    fn access(
        &mut self,
        tensor_value: ValueId,
        at: &[Expr],
        dynamic: &[ValueId],
        is_dynamic: bool,
        is_store: bool,
        facts: &Facts,
    ) -> BTreeSet<Arc<str>> {
        let offset = linear_offset(tensor(self.body, tensor_value), at, facts);
        let symbols = offset.symbols();
        let varies_with =
            dynamic.iter().flat_map(|it| self.depends[it.index()].iter().cloned()).collect();
        let facts = facts.clone();
        self.out.accesses.push(Access { offset, is_store, is_dynamic, varies_with, facts });
        symbols
    }
}

fn tensor(body: &Body, value: ValueId) -> &TensorType {
    match body.ty(value) {
        Type::Tensor(it) => it,
        _ => unreachable!("verified: loads and stores are of tensors"),
    }
}

/// The axes a loop or kernel gives names to, with their extents.
pub(crate) fn axes_of(body: &Body, op: &Op) -> Option<Vec<(String, Expr)>> {
    // Attributes are read without facts.
    static NONE: std::sync::LazyLock<Facts> = std::sync::LazyLock::new(Facts::default);
    let view = View { types: &body.types, facts: &NONE, op };
    let (names, extents) = if let Some(it) = Kernel::of(view) {
        (it.axes(), it.extents())
    } else if let Some(it) = Reduce::of(view) {
        (it.axes(), it.extents())
    } else if let Some(it) = For::of(view) {
        (it.axes(), it.extents())
    } else if let Some(it) = Fold::of(view) {
        (vec![it.axis()], vec![it.extent()])
    } else {
        return None;
    };
    Some(names.into_iter().zip(extents).collect())
}

/// Sets the names and extents of a loop or kernel.
pub(crate) fn set_axes(op: &mut Op, axes: &[(String, Expr)]) {
    let (names, extents): (Vec<String>, Vec<Expr>) = axes.iter().cloned().unzip();
    op.set_attr("axes", names.to_attr());
    op.set_attr("extents", extents.to_attr());
}
