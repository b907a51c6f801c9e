//! Loops that keep what each turn gave, stacked.
//!
//! How many turns there will be shows at the end only. So the loop runs twice: at first with a counter
//! beside what it carries, which gives the size of the results; then as a scan of that many turns.
//! Bodies write nothing but their results, so both give the same. A loop of no turn keeps what it began
//! with: that is a turn of the scan whose condition does not hold.

use ir::{
    Arg, Attr, Builder, Function, OpRef, Output, OutputKind, Param, ParamKind, Type, ValueId,
};
use sym::Expr;

use super::{
    Importer, Making, OriginInfo, Scope,
    arguments::{Refusal, with_defaults},
    bodies::scalar,
};
use crate::schema::{Argument, GraphArgument, Node};

/// A function that calls another one.
struct Calling<'f> {
    making: Making<'f>,
    params: Vec<Param>,
}

impl Calling<'_> {
    fn param(&mut self, name: &str, ty: Type) -> ValueId {
        let value = self.making.builder.param(ty);
        self.params.push(Param { name: name.to_owned(), kind: ParamKind::User });
        value
    }
}

/// The results of a function.
fn types(function: &Function) -> Vec<Type> {
    function.outputs.iter().map(|it| it.ty.clone()).collect()
}

fn given(values: impl IntoIterator<Item = ValueId>) -> Arg {
    Arg::List(values.into_iter().map(Some).collect())
}

impl<'p> Importer<'p> {
    pub(super) fn stacked_loop(
        &mut self,
        making: &mut Making<'_>,
        scope: &mut Scope<'p>,
        node: &'p Node,
        bodies: [&'p GraphArgument; 2],
        given_to: [&'p Argument; 2],
    ) -> Result<(), Refusal> {
        let (names, [carried, extra]) = self.loop_parts(making, scope, bodies, given_to)?;
        let count = carried.values().count();
        let [cond, body] = names.map(|name| self.function(&name));
        let (cond, body) = (cond.ok_or(Refusal::Reported)?, body.ok_or(Refusal::Reported)?);
        let kept = types(&body);
        if kept.len() != count {
            return Err(Refusal::Unfit);
        }

        let zero = self.number_value(making, Expr::int(0), ir::DType::I64)?;
        let mut begin = vec![zero];
        begin.extend(carried.values());
        let names = [self.counted(&cond, false)?, self.counted(&body, true)?];
        let attrs = names.map(Attr::Ref).to_vec();
        let mut all = vec![scalar(ir::DType::I64)];
        all.extend(kept.iter().cloned());
        let args = vec![given(begin), extra.clone()];
        let made = self.stated(making, aten::WhileLoop::def(), args, attrs, all)?;
        let turns = *made.first().ok_or(Refusal::Unfit)?;
        let one = self.number_value(making, Expr::int(1), ir::DType::I64)?;
        let args = vec![turns.into(), one.into()];
        let length = self.computed(making, "maximum", args, Vec::new(), ir::DType::I64)?;

        let stacks = self.tensor_results(scope, node)?;
        let stacks: Option<Vec<Type>> = stacks.into_iter().collect();
        let stacks = stacks.ok_or(Refusal::Unfit)?;
        let size = stacks.first().and_then(Type::as_tensor).and_then(|it| it.shape.first());
        let size = size.cloned().ok_or(Refusal::Unfit)?;
        for it in stacks.iter().filter_map(Type::as_tensor).filter_map(|it| it.shape.first()) {
            if let Some(symbol) = self.undefined_symbol(it) {
                self.define(making, length, &symbol)?;
            }
        }
        let line = ir::TensorType::contiguous(ir::DType::I64, [size.clone()]);
        let (places, attrs) = with_defaults("arange", ("end", Attr::Size(size)))?;
        let places = self.stated(making, places, Vec::new(), attrs, vec![Type::Tensor(line)])?;
        let name = self.kept(&cond, &body, count)?;
        let attrs = vec![Attr::Str("scan".to_owned()), Attr::Ref(name)];
        let all = kept.into_iter().chain(stacks).collect();
        let args = vec![carried, given(places), extra];
        let made = self.stated(making, aten::Subgraph::def(), args, attrs, all)?;
        let results = self.results(scope.graph, &node.outputs);
        for (result, value) in results.into_iter().zip(made.into_iter().skip(count)) {
            if let Some(name) = result.name {
                scope.values.insert(name.to_owned(), Some(value));
            }
        }
        Ok(())
    }

    fn function(&self, name: &str) -> Option<Function> {
        self.functions.iter().find(|it| it.name == name).cloned()
    }

    /// Appends an op; what it gives has these types.
    fn stated(
        &mut self,
        making: &mut Making<'_>,
        op: OpRef,
        args: Vec<Arg>,
        attrs: Vec<Attr>,
        types: Vec<Type>,
    ) -> Result<Vec<ValueId>, Refusal> {
        making.builder.push_stated(op, args, attrs, Some(types)).map_err(|diag| {
            self.diags.push(diag);
            Refusal::Reported
        })
    }

    /// The function with a counter before what it takes, and if it is a loop's body, one more after.
    fn counted(&mut self, callee: &Function, is_body: bool) -> Result<String, Refusal> {
        let mut calling = calling(callee);
        let counter = calling.param("turn", scalar(ir::DType::I64));
        let operands = operands(&mut calling, callee, 0..callee.params.len());
        let made = self.called(&mut calling, callee, operands)?;
        let mut yields = Vec::new();
        if is_body {
            let one = self.number_value(&mut calling.making, Expr::int(1), ir::DType::I64)?;
            let add = aten::lookup("add.Tensor").ok_or(Refusal::Unfit)?;
            let attrs = vec![Attr::Size(Expr::int(1))];
            let args = vec![counter.into(), one.into()];
            let ty = vec![scalar(ir::DType::I64)];
            yields.extend(self.stated(&mut calling.making, add, args, attrs, ty)?);
        }
        yields.extend(made);
        Ok(self.finished(callee, calling, &yields))
    }

    /// The body of a scan: what a turn gives is carried on, and kept.
    fn kept(&mut self, cond: &Function, body: &Function, count: usize) -> Result<String, Refusal> {
        let mut calling = calling(body);
        let mut all = operands(&mut calling, body, 0..count);
        calling.param("turn", scalar(ir::DType::I64));
        all.extend(operands(&mut calling, body, count..body.params.len()));
        let goes_on = self.called(&mut calling, cond, all.clone())?;
        let goes_on = *goes_on.first().ok_or(Refusal::Unfit)?;
        let goes_on = self.as_truth(&mut calling.making, goes_on)?;
        let as_it_is = self.identity(body, count);
        let attrs = vec![Attr::None, Attr::Ref(body.name.clone()), Attr::Ref(as_it_is)];
        let args = vec![goes_on.into(), given(all)];
        let made = self.stated(&mut calling.making, aten::Cond::def(), args, attrs, types(body))?;
        let yields = [made.as_slice(), &made].concat();
        Ok(self.finished(body, calling, &yields))
    }

    /// A body that gives what it is given.
    fn identity(&mut self, like: &Function, count: usize) -> String {
        let mut calling = calling(like);
        let all = operands(&mut calling, like, 0..like.params.len());
        self.finished(like, calling, all.get(..count).unwrap_or_default())
    }

    fn called(
        &mut self,
        calling: &mut Calling<'_>,
        callee: &Function,
        operands: Vec<ValueId>,
    ) -> Result<Vec<ValueId>, Refusal> {
        calling.making.start(OriginInfo::default());
        let none = || Arg::List(Vec::new());
        let args = vec![given(operands), none(), none()];
        let attrs = vec![Attr::Str("call".to_owned()), Attr::Ref(callee.name.clone())];
        self.stated(&mut calling.making, aten::Subgraph::def(), args, attrs, types(callee))
    }

    fn finished(&mut self, callee: &Function, calling: Calling<'_>, yields: &[ValueId]) -> String {
        let Calling { making, params } = calling;
        let name = self.function_name(&callee.name);
        let ty = |it: &ValueId| making.builder.ty(*it).clone();
        let output = |it| Output { name: String::new(), kind: OutputKind::Result, ty: ty(it) };
        let outputs = yields.iter().map(output).collect();
        let (facts, origins) = (callee.facts.clone(), making.origins);
        let body = making.builder.finish(yields.to_vec());
        self.functions.push(Function { name: name.clone(), facts, params, outputs, body });
        self.origins.push(origins);
        name
    }
}

fn calling(callee: &Function) -> Calling<'_> {
    let making = Making { builder: Builder::new(&callee.facts), origins: Vec::new() };
    Calling { making, params: Vec::new() }
}

/// Parameters like those of the callee.
fn operands(
    calling: &mut Calling<'_>,
    callee: &Function,
    which: std::ops::Range<usize>,
) -> Vec<ValueId> {
    let params = callee.params.iter().zip(&callee.body.root.params);
    let params: Vec<_> = params.skip(which.start).take(which.len()).collect();
    params.into_iter().map(|it| calling.param(&it.0.name, callee.body.ty(*it.1).clone())).collect()
}
