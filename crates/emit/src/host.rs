//! The host program: the model's table and its `run` function (see `tintype_model.h`).

mod control;
mod sanitize;
mod tables;
mod workspace;

use ir::{Function, ParamKind, TensorType, Type, ValueId, View as OpView};
use loops::kernel_symbols;
use sym::{Expr, Range};
use wrapper::{
    Alloc, Arena, Assert, Bind, BindItem, Call, CheckDim, CheckStrides, CheckTensor, OutputAlias,
    OutputAlloc, OutputInput, OutputNone, OutputSame, OutputView, Size, Slice, StridedInput,
    TakeInputs, View,
};

use crate::{
    code::Code,
    kernel::{declared_symbol, kernel_declaration},
    names::{self, dtype_number, memory_type},
};

/// An input or output as hosts are told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IoEntry {
    /// Its name in the model.
    pub name: String,
    /// Its type.
    pub ty: TensorType,
    /// Whether the model writes it in place.
    pub is_written: bool,
}

/// A constant in the library's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConstantEntry {
    /// The parameter it is: its qualified name in the model.
    pub name: String,
    /// Its role.
    pub kind: ParamKind,
    /// Its type, with its own strides.
    pub ty: TensorType,
    /// From the start of its storage, in elements.
    pub storage_offset: i64,
    /// Of its storage in the blob, in bytes; `None` if it has no bytes there.
    pub offset: Option<u64>,
    /// Bytes of the storage.
    pub bytes: u64,
    /// Whether the model writes it.
    pub is_state: bool,
    /// Whether hosts are not told of it.
    pub is_packed: bool,
    /// Whether something that was computed when the model was compiled depends on it.
    pub is_baked: bool,
}

/// What the table says besides the program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostInfo {
    /// The model's name.
    pub name: String,
    /// Inputs in the caller's order.
    pub inputs: Vec<IoEntry>,
    /// Outputs in the caller's order.
    pub outputs: Vec<IoEntry>,
    /// Constants, the packed ones last.
    pub constants: Vec<ConstantEntry>,
    /// How arguments nest, as PyTorch's tree specs in JSON.
    pub in_spec: String,
    /// How results nest.
    pub out_spec: String,
    /// Bytes of all stored constants.
    pub blob_size: u64,
}

/// The source of the host program for `main`, whose control flow calls `bodies`; all call `kernels`.
pub fn print_host(
    info: &HostInfo,
    main: &Function,
    bodies: &[&Function],
    kernels: &[&Function],
) -> String {
    let mut code = Code::default();
    code.line("#include \"tintype_model.h\"");
    let mut used: Vec<&Function> = kernels.to_vec();
    used.sort_by(|a, b| a.name.cmp(&b.name));
    if used.iter().any(|it| loops::has_workspace(it)) {
        code.line("#include \"kernels.h\"");
    }
    code.line("#include <omp.h>");
    code.line("");
    // Whole, as the places of views are counted in elements.
    code.line("namespace tt {");
    code.line("struct bf16 { uint16_t bits; };");
    code.line("struct f16 { uint16_t bits; };");
    code.line("struct c32 { f16 parts[2]; };");
    code.line("struct c64 { float parts[2]; };");
    code.line("struct c128 { double parts[2]; };");
    code.line("}");
    code.line("");
    code.line(sym::CPP_PRELUDE.trim_end());
    code.line("");
    for kernel in &used {
        code.line(format!("{};", kernel_declaration(kernel)));
    }
    code.line("");
    let program = control::Program::new(bodies, kernels);
    program.print(&mut code, info, kernels);
    let mut printer = Printer::new(&mut code, info, main, kernels, &program);
    printer.run();
    code.line("");
    tables::print(&mut code, info, main);
    code.finish()
}

struct Printer<'a, 'c> {
    code: &'c mut Code,
    info: &'a HostInfo,
    main: &'a Function,
    kernels: &'a [&'a Function],
    program: &'a control::Program<'a>,
    /// What to print for each tensor: a pointer of its element type.
    pointers: Vec<String>,
    /// For parameters, the index among the inputs.
    inputs: Vec<Option<usize>>,
    /// Whether workspaces reach behind the arena.
    has_workspace: bool,
    arrays: Vec<(String, String)>,
    /// Blocks to give back at the end.
    blocks: Vec<String>,
    /// Symbols that are defined by a dimension, with words for it.
    bound: Vec<(String, String)>,
}

impl<'a, 'c> Printer<'a, 'c> {
    fn new(
        code: &'c mut Code,
        info: &'a HostInfo,
        main: &'a Function,
        kernels: &'a [&'a Function],
        program: &'a control::Program<'a>,
    ) -> Printer<'a, 'c> {
        let count = main.body.types.len();
        Printer {
            code,
            info,
            main,
            kernels,
            program,
            pointers: vec![String::new(); count],
            inputs: vec![None; count],
            has_workspace: false,
            arrays: Vec::new(),
            blocks: Vec::new(),
            bound: Vec::new(),
        }
    }

    fn size(&self, it: &Expr) -> String {
        sym::to_cpp(it, &self.main.facts, &|it| it.to_owned())
    }

    fn tensor(&self, value: ValueId) -> &'a TensorType {
        match self.main.body.ty(value) {
            Type::Tensor(it) => it,
            _ => unreachable!("verified: a tensor"),
        }
    }

    fn run(&mut self) {
        self.code.open("static void run_model(tt_run* run) {");
        let mut users = 0;
        for (param, value) in self.main.params.iter().zip(&self.main.body.root.params) {
            let ty = memory_type(self.tensor(*value).dtype);
            if param.kind.is_given() {
                self.inputs[value.index()] = Some(users);
                self.pointers[value.index()] =
                    format!("static_cast<{ty}*>(tt_input(run, {users})->data)");
                users += 1;
                continue;
            }
            self.constant(&param.name, *value);
        }
        self.main.body.ops().iter().for_each(|it| self.op(it));
        self.give_back();
        self.code.close("}");
    }

    /// Points to a constant.
    fn constant(&mut self, name: &str, value: ValueId) {
        let ty = memory_type(self.tensor(value).dtype);
        let Some(i) = self.constant_index(name) else { return };
        self.pointers[value.index()] = match self.info.constants[i].is_state {
            true => format!("static_cast<{ty}*>(tt_state(run, {i}))"),
            false => format!("static_cast<const {ty}*>(tt_constant(run, {i}))"),
        };
    }

    fn input(&self, value: ValueId) -> usize {
        self.inputs[value.index()].unwrap_or(0)
    }

    /// Of what is handed over as it is: an input or a state, and its index among those.
    fn whose(&self, value: ValueId) -> (&'static str, usize) {
        let params = self.main.params.iter().zip(&self.main.body.root.params);
        let given = params.into_iter().find(|it| *it.1 == value && !it.0.kind.is_given());
        match given.and_then(|it| self.constant_index(&it.0.name)) {
            Some(i) => ("state", i),
            None => ("input", self.input(value)),
        }
    }

    fn constant_index(&self, name: &str) -> Option<usize> {
        self.info.constants.iter().position(|it| it.name == name)
    }

    fn op(&mut self, op: &'a ir::Op) {
        let view = OpView::of(&self.main.body, &self.main.facts, op);
        if let Some(it) = CheckTensor::of(view) {
            let (i, ty) = (self.input(it.x()), self.tensor(it.x()));
            self.code.line(format!("tt_check_dtype(run, {i}, {});", dtype_number(ty.dtype)));
            self.code.line(format!("tt_check_device(run, {i}, TT_DEVICE_CPU);"));
            self.code.line(format!("tt_check_rank(run, {i}, {});", ty.rank()));
        } else if let Some(it) = Bind::of(view) {
            self.bind(it);
        } else if let Some(it) = Size::of(view) {
            let value = self.size(&it.value());
            self.code.line(format!("const {} = {value};", declared_symbol(&it.symbol())));
        } else if let Some(it) = CheckDim::of(view) {
            let (i, dim, size) = (self.input(it.x()), it.dim(), it.size());
            let want = self.size(&size);
            match size.as_int() {
                Some(_) => self.code.line(format!("tt_check_dim(run, {i}, {dim}, {want});")),
                None => self.code.line(format!(
                    "tt_check_dim_equal(run, {i}, {dim}, {want}, {});",
                    names::string(&self.with_places(&size, ""))
                )),
            }
        } else if let Some(it) = CheckStrides::of(view) {
            let (i, ty) = (self.input(it.x()), self.tensor(it.x()));
            for (dim, stride) in ty.strides.as_deref().unwrap_or(&[]).iter().enumerate() {
                self.code.line(format!(
                    "tt_check_stride(run, {i}, {dim}, {}, {});",
                    self.size(stride),
                    names::string(&self.with_places(stride, ""))
                ));
            }
        } else if let Some(it) = BindItem::of(view) {
            let (symbol, real) = (it.symbol(), sym::Expr::sym(&it.symbol()).is_real());
            let value = match self.inputs[it.x().index()] {
                Some(i) => {
                    let number = if real { "tt_item_f64" } else { "tt_item_i64" };
                    format!("{number}(run, tt_input(run, {i}))")
                }
                None => {
                    let ty = if real { "double" } else { "int64_t" };
                    format!("static_cast<{ty}>(*{})", self.pointers[it.x().index()])
                }
            };
            self.code.line(format!("const {} = {value};", declared_symbol(&symbol)));
            if real {
                self.code.line(format!("(void){symbol};"));
                return;
            }
            let Range { lo, hi } = self.main.facts.range_of_sym(&symbol);
            self.code.line(format!(
                "tt_check_range(run, {}, {symbol}, {}, {});",
                names::string(&self.main.facts.described(&symbol)),
                names::int(lo),
                names::int(hi)
            ));
        } else if let Some(it) = Assert::of(view) {
            // The facts say that it holds.
            let ranges = self.main.facts.ranges_alone();
            let cond = sym::to_cpp(&it.cond(), &ranges, &|it| it.to_owned());
            let message = names::string(&it.message());
            self.code.line(format!("tt_check(({cond}) != 0, {message});"));
        } else if TakeInputs::of(view).is_some() {
            self.code.line("tt_take_inputs(run);");
            self.workspace();
            if let Some(size) = early_arena(self.main) {
                self.arena(&size);
            }
        } else if let Some(it) = StridedInput::of(view) {
            self.strided_input(it, op.result());
        } else if let Some(it) = Arena::of(view) {
            if self.arena_is_a_block(op.result()) {
                let name = format!("arena_{}", op.result().0);
                let size = self.size(&it.size());
                self.block(&name, &size);
                self.pointers[op.result().index()] = name;
            } else {
                self.pointers[op.result().index()] = "arena".to_owned();
                if early_arena(self.main).is_none() {
                    self.arena(&it.size());
                }
            }
        } else if let Some(it) = Slice::of(view) {
            let offset = self.size(&it.offset());
            let arena = self.pointers[it.arena().index()].clone();
            self.define(op.result(), &format!("({arena} + {offset})"));
        } else if let Some(it) = Alloc::of(view) {
            // Without a plan each tensor is a block of its own.
            let ty = self.tensor(op.result());
            let bytes = self.size(&(ty.numel() * Expr::int(ty.dtype.size() as i64)));
            let _ = it;
            self.define(op.result(), &format!("tt_alloc(run, {bytes})"));
        } else if let Some(it) = OutputAlloc::of(view) {
            let ty = self.tensor(op.result());
            let shape = self.array(&ty.shape);
            let strides = self.array(ty.strides.as_deref().unwrap_or(&[]));
            let text = format!(
                "tt_output_alloc(run, {}, {}, {shape}, {strides}, {})",
                it.index(),
                ty.rank(),
                dtype_number(ty.dtype)
            );
            self.define(op.result(), &text);
        } else if let Some(it) = View::of(view) {
            let base = self.pointers[it.x().index()].clone();
            let at = match it.offset().as_int() {
                Some(0) => base,
                _ => format!("({base} + ({}))", self.size(&it.offset())),
            };
            // The parts of complex numbers are read through a pointer of their own type.
            let (from, to) = (self.tensor(it.x()).dtype, self.tensor(op.result()).dtype);
            self.pointers[op.result().index()] = match from == to {
                true => at,
                false => format!("(({}*){at})", memory_type(to)),
            };
        } else if let Some(it) = Call::of(view) {
            self.call(it);
        } else if let Some(it) = OutputInput::of(view) {
            let (what, i) = self.whose(it.x());
            self.code.line(format!("tt_output_{what}(run, {}, {i});", it.index()));
        } else if let Some(it) = OutputNone::of(view) {
            self.code.line(format!("tt_output_null(run, {});", it.index()));
        } else if let Some(it) = OutputView::of(view) {
            let ty = it.ty();
            let Some(ty) = ty.as_tensor() else { return };
            let shape = self.array(&ty.shape);
            let strides = self.array(ty.strides.as_deref().unwrap_or(&[]));
            let (what, i) = self.whose(it.x());
            let data = match what {
                "input" => format!(", {}", self.pointers[it.x().index()]),
                _ => String::new(),
            };
            self.code.line(format!(
                "tt_output_{what}_view(run, {}, {i}{data}, {}, {shape}, {strides}, {});",
                it.index(),
                ty.rank(),
                self.size(&it.offset())
            ));
        } else if let Some(it) = OutputSame::of(view) {
            self.code.line(format!("tt_output_same(run, {}, {});", it.index(), it.other()));
        } else if let Some(it) = OutputAlias::of(view) {
            let ty = it.ty();
            let Some(ty) = ty.as_tensor() else { return };
            let shape = self.array(&ty.shape);
            let strides = self.array(ty.strides.as_deref().unwrap_or(&[]));
            self.code.line(format!(
                "tt_output_alias_output(run, {}, {}, {}, {shape}, {strides}, {});",
                it.index(),
                it.other(),
                ty.rank(),
                self.size(&it.offset())
            ));
        } else if !self.sanitize(op) {
            self.control(op);
        }
    }

    /// The arena with the workspace behind it: one block, so that both grow together.
    fn arena(&mut self, size: &Expr) {
        let size = self.size(size);
        match self.has_workspace {
            true => {
                self.code.line(format!("const int64_t arena_bytes = {size};"));
                self.code.line("char* const arena = tt_arena(run, arena_bytes + workspace_bytes);");
            }
            false => self.code.line(format!("char* const arena = tt_arena(run, {size});")),
        }
    }

    fn define(&mut self, value: ValueId, text: &str) {
        let ty = memory_type(self.tensor(value).dtype);
        let name = format!("t{}", value.0);
        self.code.line(format!("{ty}* const {name} = ({ty}*){text};"));
        self.pointers[value.index()] = name;
    }

    /// An array of sizes or strides, declared once per function where it is known.
    fn array(&mut self, exprs: &[Expr]) -> String {
        if exprs.is_empty() {
            return "nullptr".to_owned();
        }
        let list: Vec<String> = exprs.iter().map(|it| self.size(it)).collect();
        let list = list.join(", ");
        if let Some(it) = self.arrays.iter().find(|it| it.1 == list) {
            return it.0.clone();
        }
        let name = format!("sizes_{}", self.arrays.len());
        let fixed = exprs.iter().all(|it| it.as_int().is_some());
        let keyword = if fixed { "static const" } else { "const" };
        self.code.line(format!("{keyword} int64_t {name}[] = {{{list}}};"));
        self.arrays.push((name.clone(), list));
        name
    }

    fn bind(&mut self, it: Bind<'_>) {
        let (i, dim, symbol) = (self.input(it.x()), it.dim(), it.symbol());
        let Range { lo, hi } = self.main.facts.range_of_sym(&symbol);
        let lo = lo.max(0);
        let name = self.info.inputs.get(i).map_or("", |it| &it.name);
        self.bound.push((symbol.clone(), format!("{symbol} is dimension {dim} of '{name}'")));
        if it.factor() == 1 && it.rest() == Expr::int(0) {
            if it.checked() {
                let (lo, hi, text) = (names::int(lo), names::int(hi), names::string(&symbol));
                self.code.line(format!("tt_check_dim_range(run, {i}, {dim}, {lo}, {hi}, {text});"));
            }
            self.code.line(format!("const int64_t {symbol} = tt_size(run, {i}, {dim});"));
            return;
        }
        let (factor, rest) = (it.factor(), self.size(&it.rest()));
        let whole = it.rest() + Expr::int(factor) * Expr::sym(&symbol);
        let text = names::string(&self.with_places(&whole, &symbol));
        self.code
            .line(format!("const int64_t {symbol}_scaled = tt_size(run, {i}, {dim}) - ({rest});"));
        if it.checked() && factor != 1 {
            self.code.line(format!(
                "if (!TT_LIKELY({symbol}_scaled % {factor} == 0)) \
                 tt_fail_dim_multiple(run, {i}, {dim}, {factor}, {rest}, {text});"
            ));
        }
        self.code.line(format!("const int64_t {symbol} = {symbol}_scaled / {factor};"));
        if it.checked() {
            // What the dimension itself may be, which is what the caller sees.
            let end = |it: i64| match it {
                i64::MAX => names::int(it),
                _ => format!("tt_add({rest}, {})", names::int(it.saturating_mul(factor))),
            };
            self.code.line(format!(
                "if (!TT_LIKELY({} <= {symbol} && {symbol} <= {})) \
                 tt_fail_dim_range(run, {i}, {dim}, {}, {}, {text});",
                names::int(lo),
                names::int(hi),
                end(lo),
                end(hi)
            ));
        }
    }

    /// A size for a message, with where its symbols come from, but for one that the message is
    /// about.
    fn with_places(&self, size: &Expr, but: &str) -> String {
        let symbols = size.symbols();
        let places: Vec<&str> = self
            .bound
            .iter()
            .filter(|it| it.0 != but && symbols.iter().any(|symbol| **symbol == *it.0))
            .map(|it| it.1.as_str())
            .collect();
        match places.is_empty() {
            true => size.to_string(),
            false => format!("{size} ({})", places.join(", ")),
        }
    }

    fn strided_input(&mut self, it: StridedInput<'_>, result: ValueId) {
        let (i, ty) = (self.input(it.x()), self.tensor(it.x()));
        self.inputs[result.index()] = Some(i);
        if ty.rank() == 0 {
            self.pointers[result.index()] = self.pointers[it.x().index()].clone();
            return;
        }
        let strides = self.array(ty.strides.as_deref().unwrap_or(&[]));
        self.define(result, &format!("tt_input_strided(run, {i}, {strides})"));
    }

    fn call(&mut self, it: Call<'_>) {
        let name = it.kernel().0;
        let Some(kernel) = self.kernels.iter().copied().find(|it| it.name == name) else { return };
        let mut args: Vec<String> = it
            .inputs()
            .iter()
            .chain(&it.outputs())
            .map(|it| self.pointers[it.index()].clone())
            .collect();
        args.extend(kernel_symbols(kernel));
        args.push("&run->fault".to_owned());
        self.call_with_workspace(it, kernel, &args.join(", "));
        if it.faults() {
            self.code.line("tt_check_fault(run);");
        }
    }
}

/// The size of an arena that is made as soon as the inputs are taken.
fn early_arena(main: &Function) -> Option<Expr> {
    let (_, at) = wrapper::early_arena(main)?;
    Arena::of(OpView::of(&main.body, &main.facts, &main.body.ops()[at])).map(|it| it.size())
}
