//! Kernels: one C++ function each.
//!
//! The function takes a pointer per input and output, then the size symbols it uses, then the
//! run's fault record: `void NAME(const float* a0, float* o0, int64_t s0, tt_fault* fault)`.

use ir::{Body, DType, Function, Op, Region, Type, ValueId, View as OpView};
use loops::{
    Bitcast, Bound, Cast, Const, Fold, For, Index, Kernel, Lane, Load, Reduce, Store, axis_facts,
    lane_access, linear_offset,
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
    params.extend(kernel_symbols(kernel).iter().map(|it| format!("int64_t {it}")));
    params.push("tt_fault* fault".to_owned());
    params.push("void* workspace".to_owned());
    format!(
        "extern \"C\" __attribute__((visibility(\"hidden\"))) void {}({})",
        kernel.name,
        params.join(", ")
    )
}

/// The size symbols a kernel takes, in order.
pub(crate) fn kernel_symbols(kernel: &Function) -> Vec<String> {
    kernel.facts.symbols().iter().map(|it| it.to_string()).collect()
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
    fresh: u32,
}

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
        self.facts = axis_facts(&self.facts, &axes);
        let parallel = (it.parallel() as usize).min(axes.len());
        let vector = it.vector();
        if parallel != 0 {
            let collapse =
                if parallel == 1 { String::new() } else { format!(" collapse({parallel})") };
            let condition = match it.work() {
                Some(it) => format!(" if (({}) >= {})", self.size(&it), loops::PARALLEL_WORK),
                None => String::new(),
            };
            self.code
                .line(format!("#pragma omp parallel for schedule(static){collapse}{condition}"));
        }
        self.nest(&axes, vector.as_deref(), region);
    }

    /// Loops over `axes`, `vector` among them in lanes, around the region.
    fn nest(&mut self, axes: &[(String, Expr)], vector: Option<&str>, region: &'a Region) {
        let mut lane_extent = None;
        for (axis, extent) in axes {
            let bound = self.size(extent);
            if Some(axis.as_str()) == vector {
                // Whole vectors and the rest are steps of one loop, so that loops can be collapsed.
                self.code.open(format!(
                    "for (int64_t {axis}_step = 0; {axis}_step < ({bound} + (N - 1)) / N; {axis}_step++) {{"
                ));
                lane_extent = Some((axis.clone(), extent.clone(), bound));
            } else {
                self.code.open(format!("for (int64_t {axis} = 0; {axis} < {bound}; {axis}++) {{"));
            }
        }
        match lane_extent {
            None => self.ops(&region.ops),
            Some((axis, extent, bound)) => {
                self.code.line(format!("const int64_t {axis} = {axis}_step * N;"));
                self.in_lanes(&axis, &extent, &bound, |me| me.ops(&region.ops));
            }
        }
        for _ in axes {
            self.code.close("}");
        }
    }

    /// The body once with all lanes on and once with the first `n`, as far as both can happen.
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
        if !never_full {
            match never_rest {
                true => self.code.open("{"),
                false => self.code.open(format!("if ({axis} + N <= {bound}) {{")),
            }
            self.lanes = Some(Lanes { axis: axis.to_owned(), full: true });
            body(self);
            self.code.close("}");
        }
        if !never_rest {
            self.code.open(if never_full { "{" } else { "else {" });
            self.code.line(format!("const int64_t count = {bound} - {axis}; (void)count;"));
            self.code
                .line("const auto on = tt::iota<N>(int32_t(0)) < tt::splat<N>(int32_t(count));");
            self.code.line("(void)on;");
            self.lanes = Some(Lanes { axis: axis.to_owned(), full: false });
            body(self);
            self.code.close("}");
        }
        self.lanes = outer;
    }

    /// The operations of an epilogue, in lanes along the columns of a tile.
    pub(crate) fn epilogue(&mut self, ops: &'a [Op]) {
        let outer = self.lanes.take();
        for full in [true, false] {
            self.code.open(if full { "if (col + N <= cols) {" } else { "else {" });
            self.code.line("const int64_t count = cols - col; (void)count;");
            if !full {
                self.code.line(
                    "const auto on = tt::iota<N>(int32_t(0)) < tt::splat<N>(int32_t(count)); (void)on;",
                );
            }
            self.code.line("const int64_t n = n_; (void)n;");
            self.lanes = Some(Lanes { axis: "n".to_owned(), full });
            self.ops(ops);
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
        let axis = self.lanes.as_ref().map_or(String::new(), |it| it.axis.clone());
        let lanes = match expr.linear_in(&axis) {
            Some((step, _)) if step == Expr::int(1) => {
                format!("tt::iota<N>(int64_t({}))", self.size(expr))
            }
            Some((step, _)) => format!(
                "tt::splat<N>(int64_t({})) + tt::iota<N>(int64_t(0)) * tt::splat<N>(int64_t({}))",
                self.size(expr),
                self.size(&step)
            ),
            None => self.per_lane(expr, &[]),
        };
        let lanes = Reg { name: format!("({lanes})"), dtype: DType::I64, lanes: true };
        let text = self.cast(&lanes, dtype);
        self.define(value, &text, true);
    }

    /// A vector of an index expression computed lane by lane; `dynamic` are the registers of
    /// `d0`, `d1`, ….
    fn per_lane(&mut self, expr: &Expr, dynamic: &[Reg]) -> String {
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
            let index = it.strip_prefix('d').and_then(|it| it.parse::<usize>().ok());
            match arrays.iter().find(|array| Some(array.0) == index) {
                Some(array) => array.1.clone(),
                None => it.to_owned(),
            }
        });
        self.code.line(format!("for (int lane = 0; lane < N; lane++) {at}[lane] = {text};"));
        format!("tt::load<N>({at})")
    }

    /// Where a load or store goes.
    fn place(&mut self, t: ValueId, at: &[Expr], dynamic: &[ValueId]) -> Place {
        let Type::Tensor(ty) = self.body.ty(t) else { unreachable!("verified: a tensor") };
        let offset = linear_offset(ty, at, &self.facts);
        let dynamic: Vec<Reg> = dynamic.iter().map(|it| self.reg(*it).clone()).collect();
        let dynamic_lanes =
            dynamic.iter().enumerate().any(|(i, it)| it.lanes && offset.mentions(&format!("d{i}")));
        let named = |it: &str| {
            let index = it.strip_prefix('d').and_then(|it| it.parse::<usize>().ok());
            match index.and_then(|it| dynamic.get(it)) {
                Some(reg) => reg.name.clone(),
                None => it.to_owned(),
            }
        };
        let pointer = self.pointer(t).to_owned();
        let Some(lanes) = self.lanes.clone() else {
            let offset = sym::to_cpp(&offset, &self.facts, &named);
            return Place::One(format!("{pointer} + ({offset})"));
        };
        if dynamic_lanes {
            let index = self.per_lane(&offset, &dynamic);
            return Place::Lanes { pointer, index };
        }
        let text = sym::to_cpp(&offset, &self.facts, &named);
        match lane_access(&offset, &lanes.axis, &self.facts) {
            Lane::Uniform => Place::One(format!("{pointer} + ({text})")),
            Lane::Contiguous => Place::Run(format!("{pointer} + ({text})")),
            Lane::Strided(step) => Place::Strided {
                pointer: format!("{pointer} + ({text})"),
                step: sym::to_cpp(&step, &self.facts, &named),
            },
            Lane::Gather => {
                let index = self.per_lane(&offset, &dynamic);
                Place::Lanes { pointer, index }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.lanes.as_ref().is_none_or(|it| it.full)
    }

    /// The lanes a masked access may touch.
    fn mask_text(&self, mask: &Reg) -> String {
        match (mask.lanes, self.is_full()) {
            (_, true) => format!("tt::vec<bool, N>({})", mask.vector()),
            (_, false) => format!("tt::vec<bool, N>({} & on)", mask.vector()),
        }
    }

    fn load(&mut self, it: Load<'_>, value: ValueId) {
        let mask = it.mask().map(|it| self.reg(it).clone());
        let place = self.place(it.t(), &it.at(), &it.dynamic());
        let memory = memory_type(self.dtype(it.t()));
        let zero = format!("{}()", register_type(self.dtype(it.t())));
        let full = self.is_full();
        let (text, lanes) = match (place, mask) {
            (Place::One(at), None) => (format!("tt::load_one({at})"), false),
            (Place::One(at), Some(mask)) if !mask.lanes => {
                (format!("{} ? tt::load_one({at}) : {zero}", mask.name), false)
            }
            (Place::One(at), Some(mask)) => {
                let index = "tt::splat<N>(int64_t(0))";
                (format!("tt::gather<{memory}, N>({at}, {index}, {})", self.mask_text(&mask)), true)
            }
            (Place::Run(at), None) if full => (format!("tt::load<N>({at})"), true),
            (Place::Run(at), None) => (format!("tt::load_n<N>({at}, count)"), true),
            (Place::Run(at), Some(mask)) if !mask.lanes => {
                let load = if full {
                    format!("tt::load<N>({at})")
                } else {
                    format!("tt::load_n<N>({at}, count)")
                };
                (format!("{} ? {load} : tt::splat<N>({zero})", mask.name), true)
            }
            (Place::Run(at), Some(mask)) => {
                (format!("tt::load_masked<N>({at}, {})", self.mask_text(&mask)), true)
            }
            (Place::Strided { pointer, step }, None) => {
                let count = if full { "N" } else { "count" };
                (format!("tt::load_strided<N>({pointer}, {step}, {count})"), true)
            }
            (Place::Strided { pointer, step }, Some(mask)) => {
                let index = format!("tt::iota<N>(int64_t(0)) * tt::splat<N>(int64_t({step}))");
                (
                    format!(
                        "tt::gather<{memory}, N>({pointer}, {index}, {})",
                        self.mask_text(&mask)
                    ),
                    true,
                )
            }
            (Place::Lanes { pointer, index }, None) => {
                let count = if full { "N" } else { "count" };
                (format!("tt::gather<{memory}, N>({pointer}, {index}, int64_t({count}))"), true)
            }
            (Place::Lanes { pointer, index }, Some(mask)) => (
                format!("tt::gather<{memory}, N>({pointer}, {index}, {})", self.mask_text(&mask)),
                true,
            ),
        };
        self.define(value, &text, lanes);
    }

    fn store(&mut self, it: Store<'_>) {
        let mask = it.mask().map(|it| self.reg(it).clone());
        let value = self.reg(it.value()).clone();
        let memory = memory_type(self.dtype(it.t()));
        let place = self.place(it.t(), &it.at(), &it.dynamic());
        let dtype = self.dtype(it.t());
        let vector = match dtype {
            DType::Bool => format!("tt::vec<bool, N>({})", value.vector()),
            _ => value.vector(),
        };
        if let (Place::One(at), "set") = (&place, it.mode().as_str()) {
            let guard = mask.map_or(String::new(), |it| format!("if ({}) ", it.name));
            // In lanes, all of which write one element, the last one stays.
            let value = match (value.lanes, self.is_full()) {
                (false, _) => value.name,
                (true, true) => format!("{vector}[N - 1]"),
                (true, false) => format!("{vector}[count - 1]"),
            };
            return self.code.line(format!("{guard}tt::store_one({at}, {value});"));
        }
        if it.mode() != "set" || mask.is_some() {
            return self.store_each(&place, mask, &value, &vector, &it.mode(), dtype);
        }
        let full = self.is_full();
        let count = if full { "N" } else { "count" };
        let line = match place {
            Place::One(_) => unreachable!("handled above"),
            Place::Run(at) if full => format!("tt::store({at}, {vector});"),
            Place::Run(at) => format!("tt::store_n({at}, {vector}, count);"),
            Place::Strided { pointer, step } => {
                format!("tt::store_strided({pointer}, {step}, {vector}, {count});")
            }
            Place::Lanes { pointer, index } => {
                format!("tt::scatter<{memory}, N>({pointer}, {index}, {vector}, {count});")
            }
        };
        self.code.line(line);
    }

    /// Element after element: combining stores and masked ones.
    fn store_each(
        &mut self,
        place: &Place,
        mask: Option<Reg>,
        value: &Reg,
        vector: &str,
        mode: &str,
        dtype: DType,
    ) {
        let lane = |text: &str, lanes: bool| match lanes {
            true => format!("{text}[lane]"),
            false => text.to_owned(),
        };
        let in_lanes = self.lanes.is_some();
        let (at, single) = match place {
            Place::One(at) => {
                (at.clone(), !value.lanes && !mask.as_ref().is_some_and(|it| it.lanes))
            }
            Place::Run(at) => (format!("{at} + lane"), false),
            Place::Strided { pointer, step } => (format!("{pointer} + lane * ({step})"), false),
            Place::Lanes { pointer, index } => (format!("{pointer} + {index}[lane]"), false),
        };
        let element = match single {
            true => value.name.clone(),
            false => lane(if value.lanes { vector } else { &value.name }, value.lanes),
        };
        let guard = match &mask {
            None => String::new(),
            Some(it) if it.lanes => format!("if (tt::vec<bool, N>({})[lane]) ", it.name),
            Some(it) => format!("if ({}) ", it.name),
        };
        let ty = register_type(dtype);
        let old = format!("tt::load_one({at})");
        let combined = match mode {
            "add" if dtype == DType::Bool => format!("({old} || {element})"),
            "add" if dtype.is_int() => format!("{ty}(uint64_t({old}) + uint64_t({element}))"),
            "mul" if dtype.is_int() => format!("{ty}(uint64_t({old}) * uint64_t({element}))"),
            "add" => format!("({old} + {element})"),
            "mul" => format!("({old} * {element})"),
            "max" => format!("tt::maximum(tt::splat<N>({old}), tt::splat<N>({ty}({element})))[0]"),
            "min" => format!("tt::minimum(tt::splat<N>({old}), tt::splat<N>({ty}({element})))[0]"),
            _ => element,
        };
        let store = format!("{guard}tt::store_one({at}, {ty}({combined}));");
        match single && !in_lanes || single && mode == "set" {
            true => self.code.line(store),
            false => {
                let count = if self.is_full() { "N" } else { "int(count)" };
                self.code.line(format!("for (int lane = 0; lane < {count}; lane++) {store}"));
            }
        }
    }

    fn bound(&mut self, it: Bound<'_>, value: ValueId) {
        let x = self.reg(it.x()).clone();
        let mask = it.mask().map(|it| self.reg(it).clone());
        let size = self.size(&it.size());
        let check = |index: &str| format!("tt::bound_index({index}, {size}, fault)");
        if !x.lanes && !mask.as_ref().is_some_and(|it| it.lanes) {
            let text = match mask {
                None => check(&x.name),
                Some(mask) => format!("{} ? {} : int64_t(0)", mask.name, check(&x.name)),
            };
            return self.define(value, &text, false);
        }
        let array = self.unique("at");
        self.code.line(format!("int64_t {array}[N] = {{}};"));
        let on = match mask {
            None => String::new(),
            Some(it) => format!("if (tt::vec<bool, N>({})[lane]) ", it.vector()),
        };
        let count = if self.is_full() { "N" } else { "int(count)" };
        let index = if x.lanes { format!("{}[lane]", x.name) } else { x.name };
        self.code.line(format!(
            "for (int lane = 0; lane < {count}; lane++) {on}{array}[lane] = {};",
            check(&index)
        ));
        self.define(value, &format!("tt::load<N>({array})"), true);
    }

    fn reduce(&mut self, it: Reduce<'_>, op: &'a Op) {
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

    fn reduce_nest(
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
    fn combine(&mut self, parts: &[Part], number: &Expr, own_lanes: bool) {
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
    fn reduced(&mut self, part: &Part, own_lanes: bool) {
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

/// Where a load or store goes, as printed.
enum Place {
    /// One element, the same for all lanes.
    One(String),
    /// Elements side by side.
    Run(String),
    Strided {
        pointer: String,
        step: String,
    },
    /// Elements anywhere; `index` is a vector of offsets.
    Lanes {
        pointer: String,
        index: String,
    },
}

/// One accumulator of a reduction.
struct Part {
    kind: String,
    dtype: DType,
    acc: String,
    /// The variable that holds the position, for `argmax` and `argmin`.
    index: Option<String>,
    yielded: ValueId,
    result: ValueId,
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
