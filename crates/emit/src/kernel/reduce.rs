//! Reductions: accumulators, the loop around what is combined, and the result across lanes.

use ir::{DType, Op, Region, ValueId};
use loops::{Reduce, axis_facts};
use sym::Expr;

use super::Printer;
use crate::{
    names::{self, register_type},
    value::Reg,
};

/// One accumulator of a reduction.
pub(super) struct Part {
    kind: String,
    dtype: DType,
    acc: String,
    /// The variable that holds the position, for `argmax` and `argmin`.
    index: Option<String>,
    yielded: ValueId,
    result: ValueId,
}

impl<'a> Printer<'a, '_> {
    pub(super) fn reduce(&mut self, it: Reduce<'_>, op: &'a Op) {
        let region = &op.regions[0];
        let axes: Vec<(String, Expr)> = it.axes().into_iter().zip(it.extents()).collect();
        let outer_facts = self.facts.clone();
        self.facts = axis_facts(&outer_facts, &axes);
        // Inside lanes of an outer axis each lane reduces for itself.
        let vector = it.vector();
        let lanes = vector.is_some() || self.lanes.is_some();
        let kinds = it.kinds();
        let mut parts = Vec::new();
        for (kind, (yielded, result)) in kinds.iter().zip(region.yields.iter().zip(op.results())) {
            let dtype = self.dtype(*yielded);
            let acc = self.unique("acc");
            let ty = register_type(dtype);
            let start = identity(kind, dtype);
            let index = kind.starts_with("arg").then(|| self.unique("index"));
            match lanes {
                true => {
                    self.code
                        .line(format!("tt::vec<{ty}, N> {acc} = tt::splat<N>({ty}({start}));"));
                    if let Some(it) = &index {
                        self.code
                            .line(format!("tt::vec<int64_t, N> {it} = tt::splat<N>(int64_t(-1));"));
                    }
                }
                false => {
                    self.code.line(format!("{ty} {acc} = {ty}({start});"));
                    if let Some(it) = &index {
                        self.code.line(format!("int64_t {it} = -1;"));
                    }
                }
            }
            parts.push(Part { kind: kind.clone(), dtype, acc, index, yielded: *yielded, result });
        }
        let number = row_major(&axes);
        self.reduce_nest(&axes, vector.as_deref(), region, &parts, &number);
        self.facts = outer_facts;
        for part in parts {
            self.reduced(&part, vector.is_some());
        }
    }

    pub(super) fn reduce_nest(
        &mut self,
        axes: &[(String, Expr)],
        vector: Option<&str>,
        region: &'a Region,
        parts: &[Part],
        number: &Expr,
    ) {
        // The axis in lanes goes innermost: the order of a sum is free between axes.
        let (lane_axes, plain): (Vec<_>, Vec<_>) =
            axes.iter().partition(|it| Some(it.0.as_str()) == vector);
        for (axis, extent) in &plain {
            let bound = self.size(extent);
            self.code.open(format!("for (int64_t {axis} = 0; {axis} < {bound}; {axis}++) {{"));
        }
        match lane_axes.first() {
            None => {
                self.ops(&region.ops);
                self.combine(parts, number, false);
            }
            Some((axis, extent)) => {
                let bound = self.size(extent);
                self.code
                    .open(format!("for (int64_t {axis} = 0; {axis} < {bound}; {axis} += N) {{"));
                self.in_lanes(axis, extent, &bound, |me| {
                    me.ops(&region.ops);
                    me.combine(parts, number, true);
                });
                self.code.close("}");
            }
        }
        for _ in &plain {
            self.code.close("}");
        }
    }

    /// Takes the yielded elements into the accumulators.
    pub(super) fn combine(&mut self, parts: &[Part], number: &Expr, own_lanes: bool) {
        for part in parts {
            let reg = self.reg(part.yielded).clone();
            let lanes = self.lanes.is_some();
            let element = match (lanes, part.dtype) {
                (true, DType::Bool) => format!("tt::vec<bool, N>({})", reg.vector()),
                (true, _) => reg.vector(),
                (false, _) => reg.name.clone(),
            };
            let (acc, ty) = (&part.acc, register_type(part.dtype));
            if let Some(index) = &part.index {
                let better = if part.kind == "argmax" { ">" } else { "<" };
                let place = match (self.varies(number), lanes) {
                    (true, _) => {
                        let axis = self.lanes.as_ref().map_or(String::new(), |it| it.axis.clone());
                        let step = number.linear_in(&axis).map_or(Expr::int(1), |it| it.0);
                        format!(
                            "tt::splat<N>(int64_t({})) + tt::iota<N>(int64_t(0)) * tt::splat<N>(int64_t({}))",
                            self.size(number),
                            self.size(&step)
                        )
                    }
                    (false, true) => format!("tt::splat<N>(int64_t({}))", self.size(number)),
                    (false, false) => format!("int64_t({})", self.size(number)),
                };
                match lanes {
                    true => {
                        let take = self.unique("take");
                        let off = if own_lanes && !self.is_full() { " & on" } else { "" };
                        self.code.line(format!(
                            "const tt::vec<bool, N> {take} = tt::vec<bool, N>(tt::arg_better({element}, {acc}, {index}, [](auto x, auto y) {{ return x {better} y; }}){off});"
                        ));
                        self.code.line(format!("{index} = tt::select({take}, {place}, {index});"));
                        self.code.line(format!("{acc} = tt::select({take}, {element}, {acc});"));
                    }
                    false => {
                        self.code.open(format!(
                            "if ({index} < 0 || (!({acc} != {acc}) && ({element} {better} {acc} || {element} != {element}))) {{"
                        ));
                        self.code.line(format!("{acc} = {element}; {index} = {place};"));
                        self.code.close("}");
                    }
                }
                continue;
            }
            let element = match own_lanes && !self.is_full() {
                true => format!(
                    "tt::select(on, {element}, tt::splat<N>({ty}({})))",
                    identity(&part.kind, part.dtype)
                ),
                false => element,
            };
            let text = match (part.kind.as_str(), lanes) {
                ("sum", false) if part.dtype.is_int() => {
                    format!("{ty}(uint64_t({acc}) + uint64_t({element}))")
                }
                ("prod", false) if part.dtype.is_int() => {
                    format!("{ty}(uint64_t({acc}) * uint64_t({element}))")
                }
                ("sum", _) => format!("{acc} + {element}"),
                ("prod", _) => format!("{acc} * {element}"),
                ("max", true) => format!("tt::maximum({acc}, {element})"),
                ("min", true) => format!("tt::minimum({acc}, {element})"),
                ("max", false) => {
                    format!("({element} != {element} || {acc} < {element}) ? {element} : {acc}")
                }
                ("min", false) => {
                    format!("({element} != {element} || {element} < {acc}) ? {element} : {acc}")
                }
                ("any", true) => format!("tt::vec<bool, N>({acc} | {element})"),
                ("all", true) => format!("tt::vec<bool, N>({acc} & {element})"),
                ("any", false) => format!("{acc} || {element}"),
                _ => format!("{acc} && {element}"),
            };
            self.code.line(format!("{acc} = {text};"));
        }
    }

    /// The result of one accumulator; across its own lanes first, if it had them.
    pub(super) fn reduced(&mut self, part: &Part, own_lanes: bool) {
        let acc = &part.acc;
        let Some(index) = &part.index else {
            if !own_lanes {
                let lanes = self.lanes.is_some();
                let acc = acc.clone();
                return self.set_reg(part.result, Reg { name: acc, dtype: part.dtype, lanes });
            }
            let text = match part.kind.as_str() {
                "sum" => format!("tt::hsum({acc})"),
                "prod" => format!("tt::hprod({acc})"),
                "max" => format!("tt::hmax({acc})"),
                "min" => format!("tt::hmin({acc})"),
                "any" => format!("tt::any({acc})"),
                _ => format!("tt::all({acc})"),
            };
            return self.define(part.result, &text, false);
        };
        if !own_lanes {
            let lanes = self.lanes.is_some();
            let index = index.clone();
            return self.set_reg(part.result, Reg { name: index, dtype: DType::I64, lanes });
        }
        let better = if part.kind == "argmax" { ">" } else { "<" };
        let text =
            format!("tt::arg_lanes({acc}, {index}, [](auto x, auto y) {{ return x {better} y; }})");
        self.define(part.result, &text, false);
    }
}

/// The row-major number of a point of the axes.
fn row_major(axes: &[(String, Expr)]) -> Expr {
    axes.iter().fold(Expr::int(0), |sum, (axis, extent)| sum * extent.clone() + Expr::sym(axis))
}

/// What a reduction of nothing gives, as C++.
fn identity(kind: &str, dtype: DType) -> String {
    let lowest = |least: bool| match dtype {
        DType::F64 => format!("{}__builtin_inf()", if least { "-" } else { "" }),
        it if it.is_float() => format!("{}__builtin_inff()", if least { "-" } else { "" }),
        DType::Bool => (!least).to_string(),
        it => {
            let bits = 8 * it.size() as u32;
            match (it.kind() == ir::DTypeKind::Signed, least) {
                (true, true) => names::int(i64::MIN >> (64 - bits)),
                (true, false) => names::int(i64::MAX >> (64 - bits)),
                (false, true) => "0".to_owned(),
                (false, false) if bits == 64 => "UINT64_MAX".to_owned(),
                (false, false) => names::int((1 << bits) - 1),
            }
        }
    };
    match kind {
        "prod" => "1".to_owned(),
        "max" | "argmax" => lowest(true),
        "min" | "argmin" => lowest(false),
        "all" => "true".to_owned(),
        "any" => "false".to_owned(),
        _ => "0".to_owned(),
    }
}
