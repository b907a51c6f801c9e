//! The only way to make ops.

use smallvec::SmallVec;
use sym::Facts;

use crate::{Arg, Attr, Body, Op, OpRef, Origin, Region, Result, ResultCount, Type, ValueId, View};
use diag::{Diag, codes};

/// Builds a body op by op, inferring the type of every result.
pub struct Builder<'a> {
    facts: &'a Facts,
    types: Vec<Type>,
    /// The regions under construction, outermost first.
    open: Vec<Region>,
    /// Regions that are closed and wait for the op that holds them.
    closed: Vec<Region>,
    /// Given to each op made from here on.
    pub origin: Origin,
}

impl<'a> Builder<'a> {
    /// An empty body.
    pub fn new(facts: &'a Facts) -> Builder<'a> {
        Builder {
            facts,
            types: Vec::new(),
            open: vec![Region::default()],
            closed: Vec::new(),
            origin: Origin::NONE,
        }
    }

    /// What is known of the symbols.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    fn value(&mut self, ty: Type) -> ValueId {
        let id = ValueId(self.types.len() as u32);
        self.types.push(ty);
        id
    }

    fn top(&mut self) -> &mut Region {
        self.open.last_mut().expect("the outermost region stays open")
    }

    /// A parameter of the region under construction.
    pub fn param(&mut self, ty: Type) -> ValueId {
        let id = self.value(ty);
        self.top().params.push(id);
        id
    }

    /// The type of a value made so far.
    pub fn ty(&self, value: ValueId) -> &Type {
        &self.types[value.index()]
    }

    /// How many values there are so far.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether nothing was made yet.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The types of all values made so far.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// The ops made so far in the region under construction.
    pub fn current_ops(&self) -> &[Op] {
        &self.open[self.open.len() - 1].ops
    }

    /// Opens a region of the op that will be pushed next.
    pub fn begin_region(&mut self) {
        self.open.push(Region::default());
    }

    /// Closes the region under construction.
    pub fn end_region(&mut self, yields: Vec<ValueId>) {
        debug_assert!(1 < self.open.len());
        if let Some(mut region) = self.open.pop() {
            region.yields = yields;
            self.closed.push(region);
        }
    }

    /// Appends an op with inferred result types. All regions closed since the last push are its.
    pub fn push(
        &mut self,
        def: OpRef,
        args: impl IntoIterator<Item = Arg>,
        attrs: Vec<Attr>,
    ) -> Result<Vec<ValueId>> {
        self.push_stated(def, args, attrs, None)
    }

    /// Appends an op that has one result.
    pub fn push1(
        &mut self,
        def: OpRef,
        args: impl IntoIterator<Item = Arg>,
        attrs: Vec<Attr>,
    ) -> Result<ValueId> {
        let res = self.push(def, args, attrs)?;
        match res[..] {
            [it] => Ok(it),
            _ => Err(Diag::error(&codes::OP, format!("{} has not one result", def.0.name))),
        }
    }

    /// Appends an op whose result types its author states (see [`ResultCount::Stated`]).
    pub fn push_stated(
        &mut self,
        def: OpRef,
        args: impl IntoIterator<Item = Arg>,
        attrs: Vec<Attr>,
        stated: Option<Vec<Type>>,
    ) -> Result<Vec<ValueId>> {
        let op = Op {
            def,
            args: args.into_iter().collect::<SmallVec<[Arg; 3]>>(),
            attrs,
            regions: std::mem::take(&mut self.closed),
            first_result: ValueId(self.types.len() as u32),
            results: 0,
            origin: self.origin,
        };
        let view = View { types: &self.types, facts: self.facts, op: &op };
        check_shape(view)?;
        let types = match (def.0.results, stated) {
            (ResultCount::Stated, Some(it)) => it,
            _ => (def.0.infer)(view)?,
        };
        (def.0.verify)(view)?;
        let mut op = op;
        op.results = types.len() as u32;
        let res = op.results().collect();
        self.types.extend(types);
        self.top().ops.push(op);
        Ok(res)
    }

    /// The finished body.
    pub fn finish(mut self, yields: Vec<ValueId>) -> Body {
        let mut root = self.open.swap_remove(0);
        root.yields = yields;
        Body { types: self.types, root }
    }
}

/// Checks that arguments and attributes are those the definition declares.
pub(crate) fn check_shape(view: View<'_>) -> Result<()> {
    let (op, def) = (view.op, view.op.def.0);
    if op.args.len() != def.operands.len() {
        return Err(view.error(format!(
            "takes {} operands, was given {}",
            def.operands.len(),
            op.args.len()
        )));
    }
    for (arg, it) in op.args.iter().zip(def.operands) {
        if !it.kind.admits(arg) {
            return Err(view.error(format!("operand `{}` is not {:?}", it.name, it.kind)));
        }
        if let Some(value) = arg.values().find(|it| view.types.len() <= it.index()) {
            return Err(view.error(format!("{value} is not defined before its use")));
        }
    }
    if op.attrs.len() != def.attrs.len() {
        return Err(view.error(format!(
            "takes {} attributes, was given {}",
            def.attrs.len(),
            op.attrs.len()
        )));
    }
    for (attr, it) in op.attrs.iter().zip(def.attrs) {
        let fits = match attr {
            Attr::None => it.optional,
            attr => it.kind.admits(attr),
        };
        if !fits {
            return Err(view.error(format!("attribute `{}` is not {:?}: {attr}", it.name, it.kind)));
        }
    }
    Ok(())
}
