//! Structured kernels: a call of the shared code, with the epilogue as a function of its own.

use ir::{AttrTy, Body, DType, Function, Op, TensorType, Type, View as OpView};
use loops::{
    Attention, Conv2d, Gemm, Lane, Linalg, PANEL, Pack, Sort, Store, axis_facts, block_access,
    kernel_symbols, linear_offset,
};
use sym::{Expr, Facts};

use crate::{
    code::Code,
    kernel::{Printer, TileLanes, declared_symbol, kernel_declaration},
    names::memory_type,
};

/// Whether an op of that name calls shared code.
pub(crate) fn is_structured(name: &str) -> bool {
    matches!(
        name,
        "loops.gemm"
            | "loops.conv2d"
            | "loops.attention"
            | "loops.pack"
            | "loops.sort"
            | "loops.linalg"
    )
}

/// Threads a structured kernel may use.
const THREADS: &str = "omp_get_max_threads()";

pub(crate) fn print(code: &mut Code, kernel: &Function, op: &Op) {
    let view = OpView::of(&kernel.body, &kernel.facts, op);
    let size = |it: &Expr| sym::to_cpp(it, &kernel.facts, &|it| it.to_owned());
    let tensor = |value: ir::ValueId| tensor_of(kernel.body.ty(value));
    if let Some(it) = Gemm::of(view) {
        let (a, b) = (tensor(it.a()), tensor(it.b()));
        let m = a.shape[1].clone();
        let n = it.n().unwrap_or_else(|| b.shape[2].clone());
        let axes = [("b", a.shape[0].clone()), ("m", m.clone()), ("n", n.clone())];
        epilogue(code, kernel, op, it.inputs().len(), 2, &axes, PANEL);
        code.open(format!("{} {{", kernel_declaration(kernel)));
        context(code, kernel);
        let stride = |ty: &TensorType, i: usize| size(&strides(ty)[i]);
        let sizes = format!("{}, {}, {}", size(&m), size(&n), size(&a.shape[2]));
        match it.n() {
            Some(_) => {
                // One packed matrix for the whole batch: its rows follow each other.
                code.open(format!("for (int64_t b = 0; b < {}; b++) {{", size(&a.shape[0])));
                code.line("ctx.batch = b;");
                code.line(format!(
                    "tt_gemm_f32({sizes}, a0 + b * ({}), {}, {}, {}, a1, {}, &ctx, workspace, {THREADS});",
                    stride(&a, 0),
                    stride(&a, 1),
                    stride(&a, 2),
                    width(&a),
                    epilogue_name(kernel)
                ));
                code.close("}");
            }
            None => {
                let all = |ty: &TensorType| {
                    format!("{}, {}, {}", stride(ty, 0), stride(ty, 1), stride(ty, 2))
                };
                code.line(format!(
                    "tt_bmm_f32({}, {sizes}, a0, {}, {}, a1, {}, {}, {}, &ctx, workspace, {THREADS});",
                    size(&a.shape[0]),
                    all(&a),
                    width(&a),
                    all(&b),
                    width(&b),
                    epilogue_name(kernel)
                ));
            }
        }
        code.close("}");
    } else if let Some(it) = Conv2d::of(view) {
        let x = tensor(it.x());
        let shape = conv_output(it, &x, &kernel.facts);
        let pixels = x.shape[0].clone() * shape[0].clone() * shape[1].clone();
        let axes = [("m", pixels), ("n", Expr::int(it.oc()))];
        // Each group starts a panel of its own.
        let width = it.oc() / it.groups().max(1);
        let block = if it.groups() == 1 || width % PANEL == 0 { PANEL } else { 1 };
        epilogue(code, kernel, op, it.inputs().len(), 2, &axes, block);
        code.open(format!("{} {{", kernel_declaration(kernel)));
        context(code, kernel);
        conv_struct(code, it, &x, &shape, &size);
        code.line(format!(
            "tt_conv2d_f32(&conv, a0, a1, {}, &ctx, workspace, {THREADS});",
            epilogue_name(kernel)
        ));
        code.close("}");
    } else if let Some(it) = Attention::of(view) {
        code.open(format!("{} {{", kernel_declaration(kernel)));
        code.line("(void)fault;");
        attention_struct(code, kernel, it, &size);
        code.line(format!("tt_attention_run(&p, workspace, {THREADS});"));
        code.close("}");
    } else if let Some(it) = Pack::of(view) {
        code.open(format!("{} {{", kernel_declaration(kernel)));
        code.line("(void)fault; (void)workspace;");
        pack(code, it, &tensor(it.w()), &size);
        code.close("}");
    } else if let Some(it) = Sort::of(view) {
        code.open(format!("{} {{", kernel_declaration(kernel)));
        code.line("(void)fault; (void)workspace;");
        sort(code, it, &tensor(it.x()), &size);
        code.close("}");
    } else if let Some(it) = Linalg::of(view) {
        code.open(format!("{} {{", kernel_declaration(kernel)));
        code.line("(void)fault; (void)workspace;");
        linalg(code, kernel, it, &size);
        code.close("}");
    }
}

/// What `kernels.h` calls the elements of an operand.
fn width(a: &TensorType) -> &'static str {
    match a.dtype {
        DType::BF16 => "TT_WIDTH_BF16",
        DType::F16 => "TT_WIDTH_F16",
        _ => "TT_WIDTH_F32",
    }
}

/// The expression for the bytes of workspace a kernel needs, if any.
pub(crate) fn workspace(kernel: &Function, name: &dyn Fn(&str) -> String) -> Option<String> {
    // The dialect says which have one, here is how large it is.
    let op = kernel.body.ops().last().filter(|_| loops::has_workspace(kernel))?;
    let view = OpView::of(&kernel.body, &kernel.facts, op);
    let size = |it: &Expr| sym::to_cpp(it, &kernel.facts, name);
    let tensor = |value: ir::ValueId| tensor_of(kernel.body.ty(value));
    if let Some(it) = Gemm::of(view) {
        let (a, b) = (tensor(it.a()), tensor(it.b()));
        let n = it.n().unwrap_or_else(|| b.shape.get(2).cloned().unwrap_or(Expr::int(1)));
        let sizes = [&a.shape[1], &n, &a.shape[2], &strides(&a)[2]].map(size).join(", ");
        let sizes = format!("{sizes}, {}", width(&a));
        return Some(match it.n() {
            Some(_) => format!("tt_gemm_workspace({sizes}, {THREADS})"),
            None => format!("tt_bmm_workspace({}, {sizes}, {THREADS})", size(&a.shape[0])),
        });
    }
    if let Some(it) = Conv2d::of(view) {
        let x = tensor(it.x());
        let shape = conv_output(it, &x, &kernel.facts);
        let mut code = Code::default();
        conv_struct(&mut code, it, &x, &shape, &size);
        return Some(format!(
            "[&] {{ {} return tt_conv2d_workspace(&conv, {THREADS}); }}()",
            code.finish().replace('\n', " ").trim()
        ));
    }
    if let Some(it) = Attention::of(view) {
        let mut code = Code::default();
        attention_sizes(&mut code, kernel, it, &size);
        return Some(format!(
            "[&] {{ {} return tt_attention_workspace(&p, {THREADS}); }}()",
            code.finish().replace('\n', " ").trim()
        ));
    }
    if let Some(it) = Linalg::of(view) {
        // Three square matrices of double precision, at most; see `vec_linalg.h`.
        let a = it.xs().first().map_or(TensorType::new(DType::F32, Vec::new()), |it| tensor(*it));
        let side = |i: usize| a.shape.get(i).map_or("1".to_owned(), &size);
        let (m, n) = (side(1), side(2));
        return Some(format!("8 * (({n}) * (({m}) + 2 * ({n}) + 2))"));
    }
    if let Some(it) = Sort::of(view) {
        let x = tensor(it.x());
        let n = x.shape.get(it.dim() as usize).map_or("1".to_owned(), &size);
        // Two arrays of positions and two of values, none wider than eight bytes.
        return Some(format!("32 * ({n})"));
    }
    None
}

fn tensor_of(ty: &Type) -> TensorType {
    match ty {
        Type::Tensor(it) => it.clone(),
        _ => TensorType::new(DType::F32, Vec::new()),
    }
}

fn strides(ty: &TensorType) -> Vec<Expr> {
    ty.strides.as_ref().map_or(vec![Expr::int(0); ty.rank()], |it| it.to_vec())
}

fn epilogue_name(kernel: &Function) -> String {
    format!("{}_epilogue", kernel.name)
}

fn context_name(kernel: &Function) -> String {
    format!("{}_context", kernel.name)
}

/// Fills the context that the epilogue gets from the kernel's own arguments.
fn context(code: &mut Code, kernel: &Function) {
    let inputs = kernel.body.root.params.len();
    let mut fields: Vec<String> = (2..inputs).map(|i| format!("a{i}")).collect();
    fields.extend((0..kernel.outputs.len()).map(|i| format!("o{i}")));
    fields.extend(kernel_symbols(kernel));
    fields.extend(["fault".to_owned(), "0".to_owned()]);
    code.line(format!("{} ctx{{{}}};", context_name(kernel), fields.join(", ")));
}

/// The context's type and the function that stores a tile.
fn epilogue(
    code: &mut Code,
    kernel: &Function,
    op: &Op,
    inputs: usize,
    skipped: usize,
    axes: &[(&str, Expr)],
    block: i64,
) {
    let region = &op.regions[0];
    code.open(format!("struct {} {{", context_name(kernel)));
    let params = &kernel.body.root.params;
    for (i, value) in params.iter().enumerate().skip(skipped) {
        let ty = memory_type(kernel.body.ty(*value).dtype().unwrap_or(DType::F32));
        code.line(format!("const {ty}* a{i};"));
    }
    for (i, output) in kernel.outputs.iter().enumerate() {
        let ty = memory_type(output.ty.dtype().unwrap_or(DType::F32));
        code.line(format!("{ty}* o{i};"));
    }
    for symbol in kernel_symbols(kernel) {
        code.line(format!("{};", declared_symbol(&symbol)));
    }
    code.line("tt_fault* fault;");
    code.line("int64_t batch;");
    code.close("};");
    code.open(format!(
        "static void {}(void* context, const float* tile, int64_t ld, int64_t batch, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {{",
        epilogue_name(kernel)
    ));
    code.line(format!("const {}& c = *static_cast<const {0}*>(context);", context_name(kernel)));
    code.line("tt_fault* const fault = c.fault; (void)fault;");
    code.line("const int64_t b = batch + c.batch; (void)b;");
    for symbol in kernel_symbols(kernel) {
        let declared = declared_symbol(&symbol);
        code.line(format!("const {declared} = c.{symbol}; (void){symbol};"));
    }
    let named: Vec<(String, Expr)> =
        axes.iter().map(|(name, extent)| ((*name).to_owned(), extent.clone())).collect();
    let facts = axis_facts(&kernel.facts, &named);
    let mut printer = Printer::new(code, &kernel.body, facts.clone());
    for (i, param) in region.params.iter().enumerate().skip(1) {
        let pointer = match (i - 1).checked_sub(inputs) {
            None => format!("c.a{}", i - 1 + skipped),
            Some(i) => format!("c.o{i}"),
        };
        printer.set_pointer(*param, pointer);
    }
    let lanes = tile_lanes(&kernel.body, op, &facts, block);
    printer.epilogue(&region.ops, region.params[0], lanes);
    code.close("}");
}

/// Which way the lanes of an epilogue run, so that as few stores as may be are scattered.
fn tile_lanes(body: &Body, op: &Op, facts: &Facts, block: i64) -> TileLanes {
    let region = &op.regions[0];
    let stores = region.ops.iter().filter_map(|it| Store::of(OpView::of(body, facts, it)));
    let mut apart = (0, 0);
    for it in stores {
        let Type::Tensor(ty) = body.ty(it.t()) else { continue };
        let offset = linear_offset(ty, &it.at(), facts);
        let adjacent = |lane: Lane| matches!(lane, Lane::Contiguous | Lane::Uniform);
        apart.0 += u32::from(!adjacent(block_access(&offset, "n", block, facts)));
        apart.1 += u32::from(!adjacent(block_access(&offset, "m", 1, facts)));
    }
    if apart.1 < apart.0 { TileLanes::Rows } else { TileLanes::Columns { block } }
}

/// Output height and width of a convolution.
fn conv_output(it: Conv2d<'_>, x: &TensorType, facts: &Facts) -> [Expr; 2] {
    let (kernel, stride, low, high, dilation) =
        (it.kernel(), it.stride(), it.low(), it.high(), it.dilation());
    [0, 1].map(|i| {
        let span = dilation[i] * (kernel[i] - 1) + 1;
        let places = x.shape[2 + i].clone() + Expr::int(low[i] + high[i] - span);
        sym::simplify(&(places.floor_div(&Expr::int(stride[i])) + Expr::int(1)), facts)
    })
}

fn conv_struct(
    code: &mut Code,
    it: Conv2d<'_>,
    x: &TensorType,
    out: &[Expr; 2],
    size: &dyn Fn(&Expr) -> String,
) {
    let (kernel, stride, low, high, dilation) =
        (it.kernel(), it.stride(), it.low(), it.high(), it.dilation());
    let steps = strides(x);
    code.line("tt_conv2d conv{};");
    code.line(format!(
        "conv.n = {}; conv.c = {}; conv.h = {}; conv.w = {};",
        size(&x.shape[0]),
        size(&x.shape[1]),
        size(&x.shape[2]),
        size(&x.shape[3])
    ));
    code.line(format!("conv.oc = {}; conv.kh = {}; conv.kw = {};", it.oc(), kernel[0], kernel[1]));
    code.line(format!("conv.stride_h = {}; conv.stride_w = {};", stride[0], stride[1]));
    code.line(format!(
        "conv.pad_t = {}; conv.pad_l = {}; conv.pad_b = {}; conv.pad_r = {};",
        low[0], low[1], high[0], high[1]
    ));
    code.line(format!("conv.dil_h = {}; conv.dil_w = {};", dilation[0], dilation[1]));
    code.line(format!("conv.oh = {}; conv.ow = {};", size(&out[0]), size(&out[1])));
    code.line(format!("conv.groups = {};", it.groups()));
    code.line(format!(
        "conv.in_n = {}; conv.in_c = {}; conv.in_h = {}; conv.in_w = {};",
        size(&steps[0]),
        size(&steps[1]),
        size(&steps[2]),
        size(&steps[3])
    ));
}

fn attention_sizes(
    code: &mut Code,
    kernel: &Function,
    it: Attention<'_>,
    size: &dyn Fn(&Expr) -> String,
) {
    let of = |value| tensor_of(kernel.body.ty(value));
    let (q, k, v) = (of(it.q()), of(it.k()), of(it.v()));
    code.line("tt_attention p{};");
    code.line(format!(
        "p.batch = {}; p.heads = {}; p.kv_heads = {};",
        size(&q.shape[0]),
        size(&q.shape[1]),
        size(&k.shape[1])
    ));
    code.line(format!(
        "p.lq = {}; p.lk = {}; p.d = {}; p.dv = {};",
        size(&q.shape[2]),
        size(&k.shape[2]),
        size(&q.shape[3]),
        size(&v.shape[3])
    ));
    code.line(format!("p.causal = {}; p.width = {};", i32::from(it.causal()), width(&q)));
    let mut set = |name: &str, ty: &TensorType| {
        for (i, step) in strides(ty).iter().enumerate() {
            code.line(format!("p.{name}_stride[{i}] = {};", size(step)));
        }
    };
    set("q", &q);
    set("k", &k);
    set("v", &v);
    set("out", &tensor_of(&it.out()));
}

fn attention_struct(
    code: &mut Code,
    kernel: &Function,
    it: Attention<'_>,
    size: &dyn Fn(&Expr) -> String,
) {
    attention_sizes(code, kernel, it, size);
    code.line(format!("p.scale = {};", crate::names::float(it.scale(), DType::F32)));
    code.line("p.q = a0; p.k = a1; p.v = a2; p.out = o0;");
    let Some(mask) = it.mask() else { return };
    let mask = tensor_of(kernel.body.ty(mask));
    match mask.dtype {
        DType::Bool => code.line("p.bool_mask = reinterpret_cast<const uint8_t*>(a3);"),
        _ => code.line("p.mask = a3;"),
    }
    // Dimensions of size 1 and those the mask lacks are broadcast.
    let added = 4 - mask.rank();
    for (i, (step, extent)) in strides(&mask).iter().zip(mask.shape.iter()).enumerate() {
        let step = if *extent == Expr::int(1) { Expr::int(0) } else { step.clone() };
        code.line(format!("p.mask_stride[{}] = {};", added + i, size(&step)));
    }
}

fn pack(code: &mut Code, it: Pack<'_>, w: &TensorType, size: &dyn Fn(&Expr) -> String) {
    let steps: Vec<String> = strides(w).iter().map(size).collect();
    let shape: Vec<String> = w.shape.iter().map(size).collect();
    if it.kind() == "gemm_b" {
        code.line(format!(
            "tt_pack_b_f32(a0, {}, {}, {}, {}, o0);",
            shape[0], shape[1], steps[0], steps[1]
        ));
        return;
    }
    code.line("tt_conv2d conv{};");
    code.line(format!(
        "conv.oc = {}; conv.c = ({}) * {}; conv.kh = {}; conv.kw = {}; conv.groups = {2};",
        shape[0],
        shape[1],
        it.groups(),
        shape[2],
        shape[3]
    ));
    code.line(format!(
        "tt_conv2d_pack(&conv, a0, {}, {}, {}, {}, o0);",
        steps[0], steps[1], steps[2], steps[3]
    ));
}

fn sort(code: &mut Code, it: Sort<'_>, x: &TensorType, size: &dyn Fn(&Expr) -> String) {
    let outs = Vec::<Type>::of_attr(&it.outs()).unwrap_or_default();
    let rank = x.rank();
    let ty = memory_type(x.dtype);
    if rank == 0 {
        code.line("*o0 = *a0; *o1 = 0;");
        return;
    }
    let list = |it: &[Expr]| it.iter().map(size).collect::<Vec<_>>().join(", ");
    code.line(format!("const int64_t sizes[{rank}] = {{{}}};", list(&x.shape)));
    code.line(format!("const int64_t from[{rank}] = {{{}}};", list(&strides(x))));
    let to = outs.first().map_or(strides(x), |it| strides(&tensor_of(it)));
    code.line(format!("const int64_t to[{rank}] = {{{}}};", list(&to)));
    code.line(format!(
        "tt::sort_rows<{ty}>(a0, o0, o1, {rank}, sizes, from, to, {}, {}, static_cast<char*>(workspace));",
        it.dim(),
        it.descending()
    ));
}

/// The call of the function for all matrices of the batch.
fn linalg(code: &mut Code, kernel: &Function, it: Linalg<'_>, size: &dyn Fn(&Expr) -> String) {
    let operands: Vec<TensorType> =
        it.xs().iter().map(|it| tensor_of(kernel.body.ty(*it))).collect();
    let side = |of: &TensorType, i: usize| of.shape.get(i).map_or("1".to_owned(), size);
    let Some(a) = operands.first() else { return };
    let mut sizes: Vec<String> = (0..3).map(|i| side(a, i)).collect();
    // The columns of the other side of equations, the number of reflectors.
    sizes.extend(operands.get(1).map(|it| side(it, it.rank() - 1)));
    let mut args: Vec<String> = (0..operands.len()).map(|i| format!("a{i}")).collect();
    args.extend((0..kernel.outputs.len()).map(|i| format!("o{i}")));
    args.extend(sizes);
    if matches!(it.kind().as_str(), "eigh" | "svd") {
        args.push("static_cast<double*>(workspace)".to_owned());
    }
    code.line(format!("tt::{}({});", it.kind(), args.join(", ")));
    let complaint = ir::linalg::Factor::parse(&it.kind()).and_then(|it| it.complaint());
    if let (true, Some(complaint)) = (it.checked(), complaint) {
        let info = kernel.outputs.len() - 1;
        code.open(format!("for (int64_t b = 0; b < {}; b++) {{", side(a, 0)));
        let text = crate::names::string(complaint);
        code.line(format!("if (o{info}[b] != 0) tt_raise(fault, {text}, 0, 0, 0);"));
        code.close("}");
    }
}
