//! Verification: structure, then every op by inferring its types again.
//!
//! Checked: operands are made before their use and visible where they are used; regions that are
//! isolated see only their parameters; arguments and attributes are those the definition declares;
//! result types equal the inferred ones; constraints of each op; parameters and results of the
//! function are as many as it says, and what a result aliases exists.
//! Every error is collected; none ends the walk.

use diag::{Diag, codes};

use crate::{Function, Op, OutputKind, Region, ResultCount, ValueId, View, builder::check_shape};

/// Everything wrong with a function.
pub fn verify(function: &Function) -> Vec<Diag> {
    let mut it =
        Verifier { function, visible: vec![false; function.body.types.len()], diags: Vec::new() };
    it.function();
    it.diags
}

struct Verifier<'a> {
    function: &'a Function,
    visible: Vec<bool>,
    diags: Vec<Diag>,
}

impl<'a> Verifier<'a> {
    fn body_error(&mut self, message: String) {
        let message = format!("in @{}: {message}", self.function.name);
        self.diags.push(Diag::error(&codes::BODY, message));
    }

    fn function(&mut self) {
        let Function { name: _, facts: _, params, outputs, body } = self.function;
        if params.len() != body.root.params.len() {
            self.body_error(format!(
                "{} parameters are declared, the body has {}",
                params.len(),
                body.root.params.len()
            ));
        }
        if outputs.len() != body.root.yields.len() {
            self.body_error(format!(
                "{} outputs are declared, the body has {}",
                outputs.len(),
                body.root.yields.len()
            ));
        }
        self.region(&body.root, "the function");
        for (i, output) in outputs.iter().enumerate() {
            let (index, limit) = match &output.kind {
                OutputKind::User | OutputKind::Result => continue,
                OutputKind::Mutates(it) | OutputKind::AliasesParam(it, _) => (*it, params.len()),
                OutputKind::AliasesOutput(it, _) => (*it, i),
            };
            if limit <= index {
                self.body_error(format!("output {i} refers to {index}, which does not exist"));
            }
        }
    }

    fn define(&mut self, value: ValueId) {
        match self.visible.get_mut(value.index()) {
            Some(it) => *it = true,
            None => self.body_error(format!("{value} has no type")),
        }
    }

    fn region(&mut self, region: &'a Region, holder: &str) {
        region.params.iter().for_each(|it| self.define(*it));
        for op in &region.ops {
            self.op(op);
        }
        for value in &region.yields {
            if !self.visible.get(value.index()).copied().unwrap_or(false) {
                self.body_error(format!("{holder} gives {value}, which is not visible there"));
            }
        }
    }

    fn op(&mut self, op: &'a Op) {
        let body = &self.function.body;
        let in_range = op.first_result.index() + op.results as usize <= body.types.len();
        if !in_range {
            self.body_error(format!("{} gives values that have no type", op.def.0.name));
            return;
        }
        let hidden: Vec<ValueId> = op
            .operands()
            .filter(|it| !self.visible.get(it.index()).copied().unwrap_or(false))
            .collect();
        for value in &hidden {
            self.body_error(format!("{} reads {value}, which is not visible there", op.def.0.name));
        }
        let outside = self.visible.clone();
        for region in &op.regions {
            if op.def.0.isolated {
                self.visible.fill(false);
            }
            self.region(region, op.def.0.name);
            self.visible.clone_from(&outside);
        }
        if hidden.is_empty() {
            self.types(op);
        }
        op.results().for_each(|it| self.define(it));
    }

    /// The op's own rules; asked only once its operands are known to exist.
    fn types(&mut self, op: &Op) {
        let view = View::of(&self.function.body, &self.function.facts, op);
        if let Err(it) = check_shape(view) {
            self.diags.push(it);
            return;
        }
        if op.def.0.results == ResultCount::Inferred {
            match (op.def.0.infer)(view) {
                Err(it) => self.diags.push(it),
                Ok(types) => {
                    let start = op.first_result.index();
                    let found = &self.function.body.types[start..start + op.results as usize];
                    if types != found {
                        let show = |it: &[crate::Type]| {
                            it.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                        };
                        self.diags.push(view.error(format!(
                            "gives {}, the body says {}",
                            show(&types),
                            show(found)
                        )));
                    }
                }
            }
        }
        if let Err(it) = (op.def.0.verify)(view) {
            self.diags.push(it);
        }
    }
}
