//! Bodies of control flow as C++ functions, and the statements that call them.
//!
//! A body is `static void NAME(tt_run* run, const T* p0, …, T* r0, …, int64_t s0, …)`: what it is
//! given, where its results go, and the symbols it uses. Its memory is a block that it takes when it
//! starts and gives back when it ends, so branches share it and turns of a loop use it again.

use std::collections::BTreeSet;

use ir::{Function, Op, ValueId, View as OpView};
use loops::kernel_symbols;
use wrapper::{AssertItem, Call, Cond, Result as ResultOp, ScanOver, Subgraph, While};

use super::{HostInfo, Printer};
use crate::{
    code::Code,
    kernel::declared_symbol,
    names::{self, memory_type},
};

/// The bodies, with their names in C++.
pub(super) struct Program<'a> {
    bodies: Vec<Body<'a>>,
}

struct Body<'a> {
    function: &'a Function,
    name: String,
    /// The symbols that it takes.
    symbols: Vec<String>,
}

/// The symbols that a function defines itself.
fn defined(function: &Function) -> Vec<String> {
    [wrapper::symbols_of_data(function), wrapper::named_sizes(function)].concat()
}

impl<'a> Program<'a> {
    pub(super) fn new(functions: &[&'a Function], kernels: &[&Function]) -> Program<'a> {
        let mut taken = Vec::new();
        let bodies = functions
            .iter()
            .map(|it| Body {
                function: it,
                name: names::identifier(&format!("body_{}", it.name), &mut taken),
                symbols: mentioned(it, kernels),
            })
            .collect();
        let mut res = Program { bodies };
        res.close_symbols();
        res
    }

    /// Adds the symbols that a body only passes on, until nothing is missing.
    fn close_symbols(&mut self) {
        loop {
            let mut changed = false;
            for i in 0..self.bodies.len() {
                let function = self.bodies[i].function;
                let bound = defined(function);
                let mut all: BTreeSet<String> = self.bodies[i].symbols.iter().cloned().collect();
                let view = |op| OpView::of(&function.body, &function.facts, op);
                for callee in function.body.ops().iter().flat_map(|op| view(op).called()) {
                    all.extend(self.symbols(&callee));
                }
                all.retain(|it| !bound.contains(it));
                changed |= all.len() != self.bodies[i].symbols.len();
                self.bodies[i].symbols = all.into_iter().collect();
            }
            if !changed {
                break;
            }
        }
    }

    fn find(&self, name: &str) -> Option<&Body<'a>> {
        self.bodies.iter().find(|it| it.function.name == name)
    }

    fn symbols(&self, name: &str) -> Vec<String> {
        self.find(name).map_or_else(Vec::new, |it| it.symbols.clone())
    }

    /// Declares and defines all bodies.
    pub(super) fn print(&self, code: &mut Code, info: &HostInfo, kernels: &[&Function]) {
        for body in &self.bodies {
            code.line(format!("{};", body.declaration()));
        }
        for body in &self.bodies {
            code.line("");
            Printer::new(code, info, body.function, kernels, self).body(&body.declaration());
        }
        if !self.bodies.is_empty() {
            code.line("");
        }
    }
}

/// The symbols in a function's types, attributes and kernels that it doesn't define itself.
fn mentioned(function: &Function, kernels: &[&Function]) -> Vec<String> {
    let bound = defined(function);
    let mut all: BTreeSet<String> = BTreeSet::new();
    let mut add = |ty: &ir::Type| {
        ty.for_each_expr(&mut |it| all.extend(it.symbols().iter().map(|it| it.to_string())));
    };
    function.body.types.iter().for_each(&mut add);
    function.body.for_each_op(&mut |op| {
        for attr in &op.attrs {
            attr.for_each_expr(&mut |it| all.extend(it.symbols().iter().map(|it| it.to_string())));
        }
        let view = OpView::of(&function.body, &function.facts, op);
        let kernel = Call::of(view).map(|it| it.kernel().0);
        let kernel = kernels.iter().find(|it| Some(&it.name) == kernel.as_ref());
        all.extend(kernel.into_iter().flat_map(|it| kernel_symbols(it)));
    });
    all.retain(|it| !bound.contains(it));
    all.into_iter().collect()
}

impl Body<'_> {
    fn declaration(&self) -> String {
        let function = self.function;
        let mut params = vec!["tt_run* run".to_owned()];
        let given = function.params.iter().zip(&function.body.root.params).enumerate();
        for (i, (_, value)) in given.filter(|it| it.1.0.kind.is_given()) {
            let dtype = function.body.ty(*value).dtype().unwrap_or(ir::DType::F32);
            params.push(format!("const {}* p{i}", memory_type(dtype)));
        }
        let results = function.body.ops().iter().filter_map(|op| {
            ResultOp::of(OpView::of(&function.body, &function.facts, op))
                .map(|it| (it.index(), function.body.ty(op.result()).dtype()))
        });
        let mut results: Vec<_> = results.collect();
        results.sort_by_key(|it| it.0);
        for (i, dtype) in results {
            params.push(format!("{}* r{i}", memory_type(dtype.unwrap_or(ir::DType::F32))));
        }
        params.extend(self.symbols.iter().map(|it| declared_symbol(it)));
        format!("static void {}({})", self.name, params.join(", "))
    }
}

/// Pointers that are carried from turn to turn: read, to be written, and the other.
struct Carried {
    read: Vec<String>,
    write: Vec<String>,
}

impl<'a> Printer<'a, '_> {
    /// The whole function of a body.
    fn body(&mut self, declaration: &str) {
        self.code.open(format!("{declaration} {{"));
        self.code.line("(void)run;");
        let params = self.main.params.iter().zip(&self.main.body.root.params);
        for (i, (param, value)) in params.enumerate() {
            match param.kind.is_given() {
                true => self.pointers[value.index()] = format!("p{i}"),
                false => self.constant(&param.name, *value),
            }
        }
        self.main.body.ops().iter().for_each(|it| self.op(it));
        self.give_back();
        self.code.close("}");
    }

    /// Takes a block of memory; it is given back at the end of the function.
    pub(super) fn block(&mut self, name: &str, bytes: &str) {
        self.code.line(format!("char* const {name} = (char*)tt_alloc(run, {bytes});"));
        self.blocks.push(name.to_owned());
    }

    pub(super) fn give_back(&mut self) {
        for name in std::mem::take(&mut self.blocks) {
            self.code.line(format!("tt_free(run, {name});"));
        }
    }

    /// Whether an arena is a block: the run's own arena serves the first one of the model's
    /// function, and workspaces with it.
    pub(super) fn arena_is_a_block(&self, arena: ValueId) -> bool {
        let mut arenas = self.main.body.ops().iter().filter(|it| it.def.0.name == "wrapper.arena");
        let is_first = arenas.next().is_some_and(|it| it.result() == arena);
        self.is_body() || !is_first
    }

    fn is_body(&self) -> bool {
        self.program.find(&self.main.name).is_some()
    }

    fn all(&self, values: &[ValueId]) -> Vec<String> {
        values.iter().map(|it| self.pointers[it.index()].clone()).collect()
    }

    /// Whether the one element of a tensor is not zero, as a C++ expression.
    fn truth(&self, value: ValueId) -> String {
        let pointer = &self.pointers[value.index()];
        match self.tensor(value).dtype {
            // The sign of a zero is no value.
            ir::DType::F16 | ir::DType::BF16 => {
                format!("((*(const uint16_t*){pointer} & 0x7fff) != 0)")
            }
            _ => format!("(*{pointer} != 0)"),
        }
    }

    fn call_body(&mut self, name: &str, args: &[Vec<String>]) {
        let Some(body) = self.program.find(name) else { return };
        let mut all = vec!["run".to_owned()];
        all.extend(args.iter().flatten().cloned());
        all.extend(body.symbols.iter().cloned());
        self.code.line(format!("{}({});", body.name, all.join(", ")));
    }

    /// Opens a scope with pointers that alternate.
    fn begin_carried(
        &mut self,
        init: &[ValueId],
        results: &[ValueId],
        others: &[ValueId],
    ) -> Carried {
        self.code.open("{");
        let mut res = Carried { read: Vec::new(), write: Vec::new() };
        for (i, value) in init.iter().enumerate() {
            let ty = memory_type(self.tensor(*value).dtype);
            let [from, to, other] =
                [*value, results[i], others[i]].map(|it| self.pointers[it.index()].clone());
            self.code.line(format!("const {ty}* read_{i} = {from};"));
            self.code.line(format!("{ty}* write_{i} = {to};"));
            self.code.line(format!("{ty}* other_{i} = {other};"));
            res.read.push(format!("read_{i}"));
            res.write.push(format!("write_{i}"));
        }
        res
    }

    /// What was written is read next.
    fn alternate(&mut self, carried: &Carried) {
        for i in 0..carried.read.len() {
            self.code.line(format!("read_{i} = write_{i};"));
            self.code.line(format!("write_{i} = other_{i};"));
            self.code.line(format!("other_{i} = const_cast<decltype(other_{i})>(read_{i});"));
        }
    }

    /// The results hold what was carried last, and the scope ends.
    fn end_carried(&mut self, results: &[ValueId], carried: &Carried) {
        for (result, read) in results.iter().zip(&carried.read) {
            let (ty, to) = (self.tensor(*result), self.pointers[result.index()].clone());
            let bytes = self.size(&(ty.numel() * sym::Expr::int(ty.dtype.size() as i64)));
            self.code.line(format!("if ({read} != {to}) __builtin_memcpy({to}, {read}, {bytes});"));
        }
        self.code.close("}");
    }

    /// A statement of control flow, or about the element of a tensor.
    pub(super) fn control(&mut self, op: &'a Op) {
        let view = OpView::of(&self.main.body, &self.main.facts, op);
        if let Some(it) = ResultOp::of(view) {
            self.pointers[op.result().index()] = format!("r{}", it.index());
        } else if let Some(it) = AssertItem::of(view) {
            let truth = self.truth(it.x());
            self.code.line(format!("tt_check({truth}, {});", names::string(&it.message())));
        } else if let Some(it) = Cond::of(view) {
            let truth = match (it.pred(), it.cond()) {
                (Some(it), _) => self.truth(it),
                (None, Some(it)) => format!("(({}) != 0)", self.size(&it)),
                (None, None) => return,
            };
            let args = [self.all(&it.operands()), self.all(&it.results())];
            self.code.open(format!("if {truth} {{"));
            self.call_body(&it.then().0, &args);
            self.code.close("}");
            self.code.open("else {");
            self.call_body(&it.otherwise().0, &args);
            self.code.close("}");
        } else if let Some(it) = Subgraph::of(view) {
            let args = [self.all(&it.operands()), self.all(&it.results())];
            self.call_body(&it.body().0, &args);
        } else if let Some(it) = While::of(view) {
            let (extra, holds) = (self.all(&it.extra()), self.all(&[it.holds()]));
            let carried = self.begin_carried(&it.init(), &it.results(), &it.others());
            self.code.open("for (;;) {");
            self.call_body(&it.cond().0, &[carried.read.clone(), extra.clone(), holds]);
            let truth = self.truth(it.holds());
            self.code.line(format!("if (!{truth}) break;"));
            let args = [carried.read.clone(), extra, carried.write.clone()];
            self.call_body(&it.body().0, &args);
            self.alternate(&carried);
            self.code.close("}");
            self.end_carried(&it.results(), &carried);
        } else if let Some(it) = ScanOver::of(view) {
            self.scan_over(it);
        }
    }

    fn scan_over(&mut self, it: ScanOver<'_>) {
        let (init, results) = (it.init(), it.results());
        let carried = self.begin_carried(&init, &results, &it.others());
        let part = |me: &Self, value: ValueId| {
            let rest = me.tensor(value).shape.iter().skip(1);
            let size = rest.fold(sym::Expr::int(1), |size, it| size * it.clone());
            format!("{} + turn * ({})", me.pointers[value.index()], me.size(&size))
        };
        let xs: Vec<String> = it.xs().iter().map(|it| part(self, *it)).collect();
        let stacked: Vec<String> = results[init.len()..].iter().map(|it| part(self, *it)).collect();
        let args =
            [carried.read.clone(), xs, self.all(&it.extra()), carried.write.clone(), stacked];
        let length = self.size(&it.length());
        self.code.open(format!("for (int64_t turn = 0; turn < {length}; turn++) {{"));
        self.call_body(&it.body().0, &args);
        self.alternate(&carried);
        self.code.close("}");
        self.end_carried(&results[..init.len()], &carried);
    }
}
