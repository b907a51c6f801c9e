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
    /// For a long sum, what takes in the sums of its blocks; `acc` is the sum of one block then.
    cascade: Option<String>,
    /// Whether each lane takes in elements of its own.
    own_lanes: bool,
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
        let sums = kinds.iter().zip(&region.yields);
        let mut sums = sums.filter(|(kind, it)| *kind == "sum" && self.dtype(**it).is_float());
        let blocks = sums.next().and_then(|_| Blocks::of(&axes, vector.as_deref()));
        let mut parts = Vec::new();
        for (kind, (yielded, result)) in kinds.iter().zip(region.yields.iter().zip(op.results())) {
            let dtype = self.dtype(*yielded);
            let acc = self.unique("acc");
            let (ty, element) = (register_type(dtype), register_type(dtype));
            let start = identity(kind, dtype);
            let index = kind.starts_with("arg").then(|| self.unique("index"));
            let ty = match lanes {
                true => format!("tt::vec<{ty}, N>"),
                false => ty.to_owned(),
            };
            let is_long = blocks.is_some() && kind == "sum" && dtype.is_float();
            let cascade = is_long.then(|| self.unique("sums"));
            match &cascade {
                Some(it) => self.code.line(format!("tt::cascade<{ty}> {it};")),
                None if lanes => {
                    self.code.line(format!("{ty} {acc} = tt::splat<N>({element}({start}));"));
                }
                None => self.code.line(format!("{ty} {acc} = {ty}({start});")),
            }
            match &index {
                Some(it) if lanes => {
                    self.code.line(format!("tt::vec<int64_t, N> {it} = tt::splat<N>(int64_t(-1));"))
                }
                Some(it) => self.code.line(format!("int64_t {it} = -1;")),
                None => (),
            }
            let (kind, yielded) = (kind.clone(), *yielded);
            let own_lanes = vector.is_some();
            parts.push(Part { kind, dtype, acc, index, cascade, own_lanes, yielded, result });
        }
        let number = row_major(&axes);
        self.reduce_nest(&axes, vector.as_deref(), region, &parts, &number, blocks);
        self.facts = outer_facts;
        for part in &parts {
            if let Some(it) = &part.cascade {
                self.code.line(format!("const auto {} = {it}.sum();", part.acc));
            }
        }
        for part in parts {
            self.reduced(&part, part.own_lanes);
        }
    }

    /// The loops of a reduction. Where sums are long, one of the loops goes in blocks: an inner
    /// loop sums a block, and what it gives is added outside.
    fn reduce_nest(
        &mut self,
        axes: &[(String, Expr)],
        vector: Option<&str>,
        region: &'a Region,
        parts: &[Part],
        number: &Expr,
        blocks: Option<Blocks>,
    ) {
        let ordered = in_order(axes, vector);
        for (i, (axis, extent)) in ordered.iter().enumerate() {
            let bound = self.size(extent);
            let step = if Some(axis.as_str()) == vector { "N" } else { "1" };
            match blocks {
                Some(it) if it.depth == i => {
                    let length = format!("{} * {step}", it.length);
                    self.code.open(format!(
                        "for (int64_t {axis}_block = 0; {axis}_block < {bound}; {axis}_block += {length}) {{"
                    ));
                    self.code.line(format!(
                        "const int64_t {axis}_end = {axis}_block + {length} < {bound} ? {axis}_block + {length} : {bound};"
                    ));
                    self.start_blocks(parts);
                    self.code.open(format!(
                        "for (int64_t {axis} = {axis}_block; {axis} < {axis}_end; {axis} += {step}) {{"
                    ));
                }
                _ => self.code.open(format!(
                    "for (int64_t {axis} = 0; {axis} < {bound}; {axis} += {step}) {{"
                )),
            }
        }
        match ordered.last().filter(|it| Some(it.0.as_str()) == vector) {
            None => {
                self.ops(&region.ops);
                self.combine(parts, number, false);
            }
            Some((axis, extent)) => {
                let bound = self.size(extent);
                self.in_lanes(axis, extent, &bound, |me| {
                    me.ops(&region.ops);
                    me.combine(parts, number, true);
                });
            }
        }
        for i in (0..ordered.len()).rev() {
            self.code.close("}");
            if blocks.is_some_and(|it| it.depth == i) {
                for part in parts {
                    if let Some(it) = &part.cascade {
                        self.code.line(format!("{it}.add({});", part.acc));
                    }
                }
                self.code.close("}");
            }
        }
    }

    /// The sums of a block before its first element.
    fn start_blocks(&mut self, parts: &[Part]) {
        for part in parts.iter().filter(|it| it.cascade.is_some()) {
            let (ty, acc) = (register_type(part.dtype), &part.acc);
            match self.lanes.is_some() || part.own_lanes {
                true => self.code.line(format!("tt::vec<{ty}, N> {acc} = tt::splat<N>({ty}(0));")),
                false => self.code.line(format!("{ty} {acc} = 0;")),
            }
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

/// Axes from the outermost loop to the innermost. That in lanes goes innermost: the order of a sum
/// is free between axes.
fn in_order(axes: &[(String, Expr)], vector: Option<&str>) -> Vec<(String, Expr)> {
    let is_vector = |it: &&(String, Expr)| Some(it.0.as_str()) == vector;
    let plain = axes.iter().filter(|it| !is_vector(it));
    plain.chain(axes.iter().filter(is_vector)).cloned().collect()
}

/// Which loop of a long sum goes in blocks.
///
/// Each addition to a sum of many elements loses what is below the last place of the sum. In
/// blocks of about [`BLOCK`] steps, whose sums are added in blocks again, an element takes part in
/// a few hundred additions at most, however many there are.
#[derive(Clone, Copy)]
struct Blocks {
    /// The loop, counted from the outermost.
    depth: usize,
    /// How many of its steps are a block.
    length: i64,
}

/// Steps in a block.
const BLOCK: i64 = 64;

impl Blocks {
    /// The innermost loop that, with those in it, has at least a quarter of a block of steps; none
    /// where all loops together have few.
    fn of(axes: &[(String, Expr)], vector: Option<&str>) -> Option<Blocks> {
        let ordered = in_order(axes, vector);
        let steps: Vec<Option<i64>> = ordered
            .iter()
            .map(|(axis, extent)| {
                let width = if Some(axis.as_str()) == vector { crate::LANES } else { 1 };
                extent
                    .as_int()
                    .map(|it| it.div_euclid(width) + i64::from(it.rem_euclid(width) != 0))
            })
            .collect();
        let product = |from: usize| {
            steps[from..].iter().try_fold(1_i64, |product, it| Some(product.saturating_mul((*it)?)))
        };
        if product(0).is_some_and(|it| it <= 2 * BLOCK) {
            return None;
        }
        let enough = |depth: &usize| product(*depth).is_none_or(|it| BLOCK / 4 <= it);
        let depth = (0..ordered.len()).rev().find(enough)?;
        let inside = product(depth + 1).unwrap_or(BLOCK).max(1);
        Some(Blocks { depth, length: (BLOCK / inside).max(1) })
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
