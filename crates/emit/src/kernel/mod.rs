//! Kernels: one C++ function each.
//!
//! The function takes a pointer per input and output, then the size symbols it uses, then the
//! run's fault record: `void NAME(const float* a0, float* o0, int64_t s0, tt_fault* fault)`.

mod memory;
mod reduce;
mod tile;

pub(crate) use tile::TileLanes;

use ir::{Body, DType, Function, Op, Region, ValueId, View as OpView};
use loops::{
    Bitcast, Bound, Cast, Const, Fold, For, Index, Kernel, Load, Reduce, Store, axis_facts,
    dynamic_index, kernel_symbols,
};
use sym::{Expr, Facts};

use crate::{
    code::Code,
    names::{self, memory_type, register_type},
    scalar,
    value::{Reg, name},
};

/// Source text with these kernels, each by its function's name.
pub fn print_kernels(kernels: &[&Function]) -> String {
    let mut code = Code::default();
    code.line("#include \"vec.h\"");
    // Only what is used: a header costs its reader time in every model.
    let mut headers = vec!["vec_kernel.h"];
    for kernel in kernels {
        kernel.body.for_each_op(&mut |op| {
            let function = op.def.0.scalar;
            headers.extend(function.and_then(scalar::header));
            if op.def.0.name == "loops.linalg" {
                headers.push("vec_linalg.h");
            }
            if function == Some(ir::scalar::ScalarFn::Pow) {
                headers.push("vec_libm.h");
            }
        });
    }
    headers.sort_unstable();
    headers.dedup();
    for header in headers {
        code.line(format!("#include \"{header}\""));
    }
    let structured = |it: &&&Function| {
        it.body.ops().iter().any(|it| crate::structured::is_structured(it.def.0.name))
    };
    if kernels.iter().any(|it| structured(&it)) {
        code.line("#include \"kernels.h\"");
    }
    code.line("#include <omp.h>");
    code.line("");
    code.line(sym::CPP_PRELUDE.trim_end());
    code.line("");
    code.line("namespace {");
    code.line(format!("constexpr int N = {};", crate::LANES));
    code.line("}");
    for kernel in kernels {
        code.line("");
        print_kernel(&mut code, kernel);
    }
    code.finish()
}

/// The declaration of a kernel, without a semicolon.
pub fn kernel_declaration(kernel: &Function) -> String {
    let mut params = Vec::new();
    for (i, value) in kernel.body.root.params.iter().enumerate() {
        let ty = memory_type(kernel.body.ty(*value).dtype().unwrap_or(DType::F32));
        params.push(format!("const {ty}* a{i}"));
    }
    for (i, output) in kernel.outputs.iter().enumerate() {
        params.push(format!("{}* o{i}", memory_type(output.ty.dtype().unwrap_or(DType::F32))));
    }
    params.extend(kernel_symbols(kernel).iter().map(|it| declared_symbol(it)));
    params.push("tt_fault* fault".to_owned());
    params.push("void* workspace".to_owned());
    format!(
        "extern \"C\" __attribute__((visibility(\"hidden\"))) void {}({})",
        kernel.name,
        params.join(", ")
    )
}

/// A symbol as a C++ variable or parameter.
pub(crate) fn declared_symbol(name: &str) -> String {
    let ty = if sym::Expr::sym(name).is_real() { "double" } else { "int64_t" };
    format!("{ty} {name}")
}

fn print_kernel(code: &mut Code, kernel: &Function) {
    let body = &kernel.body;
    let Some(op) = body.ops().last() else { return };
    match crate::structured::is_structured(op.def.0.name) {
        true => crate::structured::print(code, kernel, op),
        false => {
            code.open(format!("{} {{", kernel_declaration(kernel)));
            code.line("(void)fault; (void)workspace;");
            let mut printer = Printer::new(code, body, kernel.facts.clone());
            printer.kernel(op);
            code.close("}");
        }
    }
}

/// The axis that runs in lanes, while code inside it is printed.
#[derive(Clone)]
struct Lanes {
    axis: String,
    /// Whether all lanes are on; else the variable `count` says how many are.
    full: bool,
    /// The lanes lie within one block of so many steps, from a multiple of that number on; 1
    /// where that isn't known.
    block: i64,
}

/// Prints the region of a kernel or an epilogue.
pub(crate) struct Printer<'a, 'c> {
    pub(crate) code: &'c mut Code,
    body: &'a Body,
    facts: Facts,
    regs: Vec<Option<Reg>>,
    /// The pointer that holds each tensor.
    pointers: Vec<Option<String>>,
    lanes: Option<Lanes>,
    /// Whether the kernel is over so soon that one body has to do for whole vectors and the rest.
    brief: bool,
    fresh: u32,
}

/// Points of a kernel, and steps of a reduction within one, up to which whole vectors have no code
/// of their own: masks cost a few nanoseconds a vector, that code as much compile time again.
const BRIEF_POINTS: i64 = 1024;
const BRIEF_STEPS: i64 = 256;

impl<'a, 'c> Printer<'a, 'c> {
    pub(crate) fn new(code: &'c mut Code, body: &'a Body, facts: Facts) -> Printer<'a, 'c> {
        let count = body.types.len();
        Printer {
            code,
            body,
            facts,
            regs: vec![None; count],
            pointers: vec![None; count],
            lanes: None,
            brief: false,
            fresh: 0,
        }
    }

    fn view(&self, op: &'a Op) -> OpView<'a> {
        // The facts of the function suffice for reading operands and attributes.
        static NONE: std::sync::LazyLock<Facts> = std::sync::LazyLock::new(Facts::default);
        OpView { types: &self.body.types, facts: &NONE, op }
    }

    pub(crate) fn set_pointer(&mut self, value: ValueId, pointer: impl Into<String>) {
        self.pointers[value.index()] = Some(pointer.into());
    }

    pub(crate) fn set_reg(&mut self, value: ValueId, reg: Reg) {
        self.regs[value.index()] = Some(reg);
    }

    fn reg(&self, value: ValueId) -> &Reg {
        self.regs[value.index()].as_ref().expect("operands are printed before their users")
    }

    fn pointer(&self, value: ValueId) -> &str {
        self.pointers[value.index()].as_deref().expect("tensors are parameters of the kernel")
    }

    fn dtype(&self, value: ValueId) -> DType {
        self.body.ty(value).dtype().unwrap_or(DType::F32)
    }

    fn unique(&mut self, prefix: &str) -> String {
        self.fresh += 1;
        format!("{prefix}{}", self.fresh)
    }

    pub(crate) fn size(&self, expr: &Expr) -> String {
        sym::to_cpp(expr, &self.facts, &|it| it.to_owned())
    }

    /// Whether an expression changes from lane to lane.
    fn varies(&self, expr: &Expr) -> bool {
        self.lanes.as_ref().is_some_and(|it| expr.mentions(&it.axis))
    }

    fn kernel(&mut self, op: &'a Op) {
        let it = Kernel(self.view(op));
        let region = &op.regions[0];
        let inputs = it.inputs().len();
        for (i, param) in region.params.iter().enumerate() {
            let pointer = if i < inputs { format!("a{i}") } else { format!("o{}", i - inputs) };
            self.set_pointer(*param, pointer);
        }
        let axes: Vec<(String, Expr)> = it.axes().into_iter().zip(it.extents()).collect();
        let points = axes.iter().try_fold(1_i64, |p, it| Some(p.saturating_mul(it.1.as_int()?)));
        self.brief = points.is_some_and(|it| it <= BRIEF_POINTS);
        self.facts = axis_facts(&self.facts, &axes);
        let parallel = (it.parallel() as usize).min(axes.len());
        let vector = it.vector();
        match parallel {
            0 => self.nest(&axes, vector.as_deref(), region),
            _ => self.shared(&axes, parallel, vector.as_deref(), region, it.work()),
        }
    }

    /// Loops over `axes`, `vector` among them in lanes, around the region.
    fn nest(&mut self, axes: &[(String, Expr)], vector: Option<&str>, region: &'a Region) {
        for it in axes {
            let (name, bound) = self.steps(it, vector);
            self.code.open(format!("for (int64_t {name} = 0; {name} < {bound}; {name}++) {{"));
        }
        self.point(axes, vector, region);
        for _ in axes {
            self.code.close("}");
        }
    }

    /// The variable of the loop along an axis, and how many steps it takes.
    fn steps(&self, (axis, extent): &(String, Expr), vector: Option<&str>) -> (String, String) {
        let bound = self.size(extent);
        match Some(axis.as_str()) == vector {
            // Whole vectors and the rest are steps of one loop, so that loops can be collapsed.
            true => (format!("{axis}_step"), format!("({bound} + (N - 1)) / N")),
            false => (axis.clone(), bound),
        }
    }

    /// The region at one point of the loops over `axes`.
    fn point(&mut self, axes: &[(String, Expr)], vector: Option<&str>, region: &'a Region) {
        match axes.iter().find(|it| Some(it.0.as_str()) == vector) {
            None => self.ops(&region.ops),
            Some((axis, extent)) => {
                let bound = self.size(extent);
                self.code.line(format!("const int64_t {axis} = {axis}_step * N;"));
                self.in_lanes(axis, extent, &bound, |me| me.ops(&region.ops));
            }
        }
    }

    /// As [`Printer::nest`], the first `parallel` axes shared among threads if there are several and
    /// enough to do. One thread does not enter OpenMP, which allocates even then.
    fn shared(
        &mut self,
        axes: &[(String, Expr)],
        parallel: usize,
        vector: Option<&str>,
        region: &'a Region,
        work: Option<Expr>,
    ) {
        let outer: Vec<(String, String)> =
            axes[..parallel].iter().map(|it| self.steps(it, vector)).collect();
        self.code.open("const auto part = [=](int64_t part_begin, int64_t part_end) {");
        if let [(name, _)] = &outer[..] {
            self.code
                .open(format!("for (int64_t {name} = part_begin; {name} < part_end; {name}++) {{"));
        } else {
            self.code.line("if (part_begin >= part_end) return;");
            self.code.line("int64_t part_rest = part_begin;");
            for (name, bound) in outer.iter().rev() {
                self.code.line(format!("int64_t {name} = part_rest % ({bound});"));
                self.code.line(format!("part_rest /= {bound};"));
            }
            self.code.open("for (int64_t part_at = part_begin; part_at < part_end; part_at++) {");
        }
        let inner: Vec<(String, String)> =
            axes[parallel..].iter().map(|it| self.steps(it, vector)).collect();
        for (name, bound) in &inner {
            self.code.open(format!("for (int64_t {name} = 0; {name} < {bound}; {name}++) {{"));
        }
        self.point(axes, vector, region);
        inner.iter().for_each(|_| self.code.close("}"));
        if 1 < outer.len() {
            self.advance(&outer);
        }
        self.code.close("}");
        self.code.close("};");
        let total: Vec<String> = outer.iter().map(|it| format!("({})", it.1)).collect();
        self.code.line(format!("const int64_t part_total = {};", total.join(" * ")));
        let enough = work.map_or_else(String::new, |it| {
            format!(" && ({}) >= {}", self.size(&it), loops::PARALLEL_WORK)
        });
        self.code.open(format!("if (omp_get_max_threads() > 1{enough}) {{"));
        self.code.line("#pragma omp parallel");
        self.code.open("{");
        self.code.line("const int64_t n = omp_get_num_threads(), t = omp_get_thread_num();");
        self.code.line("part(part_total * t / n, part_total * (t + 1) / n);");
        self.code.close("}");
        self.code.close("}");
        self.code.line("else part(0, part_total);");
    }

    /// The next point of collapsed loops.
    fn advance(&mut self, outer: &[(String, String)]) {
        let mut text = String::new();
        for (i, (name, bound)) in outer.iter().enumerate() {
            text = match i {
                0 => format!("{name}++;"),
                _ => format!("if (++{name} == ({bound})) {{ {name} = 0; {text} }}"),
            };
        }
        self.code.line(text);
    }

    /// The body once with all lanes on and once with the first `n`, as far as both can happen; in a
    /// brief kernel the latter alone.
    pub(crate) fn in_lanes(
        &mut self,
        axis: &str,
        extent: &Expr,
        bound: &str,
        mut body: impl FnMut(&mut Self),
    ) {
        let outer = self.lanes.take();
        let lanes = Expr::int(crate::LANES);
        let never_rest = sym::divisible(extent, &lanes, &self.facts) == sym::Answer::Proven;
        let last = Expr::int(crate::LANES - 1);
        let never_full = sym::less_equal(extent, &last, &self.facts) == sym::Answer::Proven;
        let brief = self.brief && extent.as_int().is_some_and(|it| it <= BRIEF_STEPS);
        let never_full = never_full || (brief && !never_rest);
        if !never_full {
            match never_rest {
                true => self.code.open("{"),
                false => self.code.open(format!("if ({axis} + N <= {bound}) {{")),
            }
            self.lanes = Some(Lanes { axis: axis.to_owned(), full: true, block: crate::LANES });
            body(self);
            self.code.close("}");
        }
        if !never_rest {
            self.code.open(if never_full { "{" } else { "else {" });
            self.code.line(format!("const int64_t count = {bound} - {axis}; (void)count;"));
            self.code
                .line("const auto on = tt::iota<N>(int32_t(0)) < tt::splat<N>(int32_t(count));");
            self.code.line("(void)on;");
            self.lanes = Some(Lanes { axis: axis.to_owned(), full: false, block: crate::LANES });
            body(self);
            self.code.close("}");
        }
        self.lanes = outer;
    }

    pub(crate) fn ops(&mut self, ops: &'a [Op]) {
        for op in ops {
            self.op(op);
        }
    }

    /// `const auto NAME = TEXT;` with the type spelled out, so that masks become bools at once.
    fn define(&mut self, value: ValueId, text: &str, lanes: bool) {
        let dtype = self.dtype(value);
        let name = name(value);
        let ty = match (lanes, dtype) {
            // A comparison's mask is kept as it is: `select` wants it so.
            (true, DType::Bool) => "const auto".to_owned(),
            (true, dtype) => format!("const tt::vec<{}, N>", register_type(dtype)),
            (false, dtype) => format!("const {}", register_type(dtype)),
        };
        self.code.line(format!("{ty} {name} = {text};"));
        self.set_reg(value, Reg { name, dtype, lanes });
    }

    fn op(&mut self, op: &'a Op) {
        let view = self.view(op);
        if let Some(function) = op.def.0.scalar {
            let operands: Vec<Reg> = op.operands().map(|it| self.reg(it).clone()).collect();
            let refs: Vec<&Reg> = operands.iter().collect();
            let result = self.dtype(op.result());
            let (text, lanes) = scalar::apply(function, &refs, result);
            return self.define(op.result(), &text, lanes);
        }
        if let Some(it) = Load::of(view) {
            return self.load(it, op.result());
        }
        if let Some(it) = Store::of(view) {
            return self.store(it);
        }
        if let Some(it) = Const::of(view) {
            let text = names::number(&it.value(), it.dtype(), &|it| self.size(it));
            return self.define(op.result(), &text, false);
        }
        if let Some(it) = Index::of(view) {
            return self.index(&it.value(), op.result());
        }
        if let Some(it) = Cast::of(view) {
            let x = self.reg(it.x()).clone();
            let text = self.cast(&x, it.dtype());
            return self.define(op.result(), &text, x.lanes);
        }
        if let Some(it) = Bitcast::of(view) {
            let x = self.reg(it.x()).clone();
            let ty = register_type(it.dtype());
            let text = match x.lanes {
                true => format!("tt::bitcast<{ty}>({})", x.name),
                false => format!("tt::bitcast<{ty}>(tt::splat<N>({}))[0]", x.name),
            };
            return self.define(op.result(), &text, x.lanes);
        }
        if let Some(it) = Bound::of(view) {
            return self.bound(it, op.result());
        }
        if let Some(it) = Reduce::of(view) {
            return self.reduce(it, op);
        }
        if let Some(it) = For::of(view) {
            let axes: Vec<(String, Expr)> = it.axes().into_iter().zip(it.extents()).collect();
            let outer = self.facts.clone();
            self.facts = axis_facts(&outer, &axes);
            self.nest(&axes, it.vector().as_deref(), &op.regions[0]);
            self.facts = outer;
            return;
        }
        if let Some(it) = Fold::of(view) {
            return self.fold(it, op);
        }
        unreachable!("verified kernels have only operations of this dialect");
    }

    fn cast(&self, x: &Reg, dtype: DType) -> String {
        let ty = register_type(dtype);
        let converted = match (x.lanes, x.dtype) {
            (true, DType::Bool) => format!("tt::convert<{ty}>(tt::vec<bool, N>({}))", x.name),
            (true, _) => format!("tt::convert<{ty}>({})", x.name),
            (false, _) if dtype == DType::Bool => format!("({} != 0)", x.name),
            // Narrow integers through the widest, as lanes do.
            (false, from) if from.is_float() && dtype.is_int() => {
                format!("tt::convert<{ty}>(tt::splat<N>({}))[0]", x.name)
            }
            (false, _) => format!("{ty}({})", x.name),
        };
        match (dtype, x.lanes) {
            (DType::F16 | DType::BF16, true) => {
                format!("tt::round_to<{}>({converted})", scalar::half(dtype))
            }
            (DType::F16 | DType::BF16, false) => {
                format!("tt::round_to<{}>(tt::splat<N>({converted}))[0]", scalar::half(dtype))
            }
            _ => converted,
        }
    }

    fn index(&mut self, expr: &Expr, value: ValueId) {
        let dtype = self.dtype(value);
        let index = Reg::scalar(format!("({})", self.size(expr)), DType::I64);
        if !self.varies(expr) {
            let text = self.cast(&index, dtype);
            return self.define(value, &text, false);
        }
        let lanes = self.per_lane(expr, &[]);
        let lanes = Reg { name: format!("({lanes})"), dtype: DType::I64, lanes: true };
        let text = self.cast(&lanes, dtype);
        self.define(value, &text, true);
    }

    /// A vector of an index expression; `dynamic` are the registers of `d0`, `d1`, ….
    fn per_lane(&mut self, expr: &Expr, dynamic: &[Reg]) -> String {
        match self.weighted(expr, dynamic) {
            Some(it) => it,
            None => self.lane_by_lane(expr, dynamic),
        }
    }

    /// The vector of an index expression that is a sum of multiples of what differs by lane.
    fn weighted(&self, expr: &Expr, dynamic: &[Reg]) -> Option<String> {
        let axis = self.lanes.as_ref().map_or("", |it| it.axis.as_str());
        let named = |it: &str| match dynamic_index(it).and_then(|it| dynamic.get(it)) {
            Some(reg) => reg.name.clone(),
            None => it.to_owned(),
        };
        let by_lane = dynamic.iter().enumerate().filter(|it| it.1.lanes);
        let mut vectors: Vec<(String, String)> =
            by_lane.map(|(i, it)| (format!("d{i}"), it.name.clone())).collect();
        vectors.push((axis.to_owned(), format!("tt::iota<N>(int64_t({axis}))")));
        let mut rest = expr.clone();
        let mut text = String::new();
        for (name, vector) in &vectors {
            if !rest.mentions(name) {
                continue;
            }
            let (step, other) = rest.linear_in(name)?;
            if vectors.iter().any(|it| step.mentions(&it.0)) {
                return None;
            }
            let step = sym::to_cpp(&step, &self.facts, &named);
            text += &match step.as_str() {
                "1" => format!("{vector} + "),
                step => format!("{vector} * tt::splat<N>(int64_t({step})) + "),
            };
            rest = other;
        }
        Some(format!("{text}tt::splat<N>(int64_t({}))", sym::to_cpp(&rest, &self.facts, &named)))
    }

    fn lane_by_lane(&mut self, expr: &Expr, dynamic: &[Reg]) -> String {
        let at = self.unique("at");
        let axis = self.lanes.as_ref().map_or(String::new(), |it| it.axis.clone());
        self.code.line(format!("int64_t {at}[N];"));
        let mut arrays = Vec::new();
        for (i, it) in dynamic.iter().enumerate() {
            if expr.mentions(&format!("d{i}")) && it.lanes {
                let array = self.unique("d");
                self.code.line(format!("int64_t {array}[N];"));
                self.code.line(format!("tt::store({array}, {});", it.name));
                arrays.push((i, format!("{array}[lane]")));
            } else {
                arrays.push((i, it.name.clone()));
            }
        }
        let text = sym::to_cpp(expr, &self.facts, &|it| {
            if it == axis {
                return format!("({axis} + lane)");
            }
            let index = dynamic_index(it);
            match arrays.iter().find(|array| Some(array.0) == index) {
                Some(array) => array.1.clone(),
                None => it.to_owned(),
            }
        });
        self.code.line(format!("for (int lane = 0; lane < N; lane++) {at}[lane] = {text};"));
        format!("tt::load<N>({at})")
    }

    fn fold(&mut self, it: Fold<'_>, op: &'a Op) {
        let region = &op.regions[0];
        let lanes = self.lanes.is_some();
        let mut carried = Vec::new();
        for (init, param) in it.init().into_iter().zip(&region.params) {
            let reg = self.reg(init).clone();
            let variable = self.unique("carry");
            let ty = register_type(reg.dtype);
            match lanes {
                true => self.code.line(format!("tt::vec<{ty}, N> {variable} = {};", reg.vector())),
                false => self.code.line(format!("{ty} {variable} = {};", reg.name)),
            }
            self.set_reg(*param, Reg { name: variable.clone(), dtype: reg.dtype, lanes });
            carried.push((variable, reg.dtype));
        }
        let (axis, extent) = (it.axis(), it.extent());
        let outer = self.facts.clone();
        let bound = self.size(&extent);
        self.facts = axis_facts(&outer, &[(axis.clone(), extent)]);
        self.code.open(format!("for (int64_t {axis} = 0; {axis} < {bound}; {axis}++) {{"));
        self.ops(&region.ops);
        let next: Vec<Reg> = region.yields.iter().map(|it| self.reg(*it).clone()).collect();
        for ((variable, _), reg) in carried.iter().zip(&next) {
            let text = if lanes { reg.vector() } else { reg.name.clone() };
            self.code.line(format!("{variable} = {text};"));
        }
        self.code.close("}");
        self.facts = outer;
        for ((variable, dtype), result) in carried.into_iter().zip(op.results()) {
            self.set_reg(result, Reg { name: variable, dtype, lanes });
        }
    }
}
