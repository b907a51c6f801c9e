//! Walks over the loads and stores of a kernel's region, with the axes around each.

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
    let mut res = Uses::default();
    walk(body, region, facts, &mut res);
    res
}

fn walk(body: &Body, region: &Region, facts: &Facts, out: &mut Uses) {
    for op in &region.ops {
        let view = View::of(body, facts, op);
        if let Some(it) = Load::of(view) {
            let offset = linear_offset(tensor(body, it.t()), &it.at(), facts);
            let is_dynamic = !it.dynamic().is_empty();
            out.accesses.push(Access { offset, is_store: false, is_dynamic, facts: facts.clone() });
        } else if let Some(it) = Store::of(view) {
            let offset = linear_offset(tensor(body, it.t()), &it.at(), facts);
            let is_dynamic = !it.dynamic().is_empty() || it.mode() != "set";
            out.accesses.push(Access { offset, is_store: true, is_dynamic, facts: facts.clone() });
        } else if op.def.0.name == "loops.index" {
            out.indices.push((view.attr("value"), facts.clone()));
        }
        if let Some(axes) = axes_of(body, op) {
            let inner = axis_facts(facts, &axes);
            op.regions.iter().for_each(|it| walk(body, it, &inner, out));
        }
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
