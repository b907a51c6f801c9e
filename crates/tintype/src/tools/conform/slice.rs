//! Taking a program of many independent samples apart.

use std::collections::{BTreeMap, BTreeSet};

use ir::{Function, OutputKind, View};

/// Which values and ops of a function have to do with each other.
///
/// Samples have inputs of their own, and may share constants. So what reads or makes one value, or
/// takes one input, belongs together: an op that writes an input in place has no other tie to those
/// that read it afterwards.
pub(super) struct Parts {
    /// By value, then by op, a representative of its part.
    parent: Vec<usize>,
    values: usize,
}

impl Parts {
    pub(super) fn new(function: &Function) -> Parts {
        let body = &function.body;
        let values = body.types.len();
        let mut res = Parts { parent: (0..values + body.ops().len()).collect(), values };
        let mut shared = vec![false; values];
        for (param, value) in function.params.iter().zip(&body.root.params) {
            shared[value.index()] = !param.kind.is_given();
        }
        for (i, op) in body.ops().iter().enumerate() {
            op.for_each_use(&mut |it| {
                if !shared[it.index()] {
                    res.join(it.index(), values + i);
                }
            });
            op.results().for_each(|it| res.join(it.index(), values + i));
        }
        res.join_symbols(function);
        res
    }

    /// What mentions a size that data defines belongs to what defines it.
    fn join_symbols(&mut self, function: &Function) {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (i, op) in function.body.ops().iter().enumerate() {
            let mut symbols: BTreeSet<String> = BTreeSet::new();
            let mut add = |it: &sym::Expr| {
                symbols.extend(it.symbols().iter().map(|it| it.to_string()));
            };
            op.attrs.iter().for_each(|it| it.for_each_expr(&mut add));
            op.results().for_each(|it| function.body.ty(it).for_each_expr(&mut add));
            if op.def.0.name == "aten.bind_symbol" {
                symbols.insert(View::of(&function.body, &function.facts, op).attr("symbol"));
            }
            for symbol in symbols.into_iter().filter(|it| !it.starts_with('s')) {
                let at = *first.entry(symbol).or_insert(i);
                self.join(self.values + at, self.values + i);
            }
        }
    }

    fn find(&self, mut i: usize) -> usize {
        while self.parent[i] != i {
            i = self.parent[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        // The smaller number stays: chains are short, since ops come in order.
        self.parent[a.max(b)] = a.min(b);
    }

    /// The function with some of its outputs, counted as the caller does, and what they need.
    pub(super) fn keep(&self, function: &Function, outputs: &[usize]) -> Function {
        let mut res = function.clone();
        let given = |it: &ir::Output| !matches!(it.kind, OutputKind::Mutates(_));
        let mut wanted = vec![false; self.parent.len()];
        let mut count = 0;
        for (output, value) in function.outputs.iter().zip(&function.body.root.yields) {
            if given(output) {
                if outputs.contains(&count) {
                    wanted[self.find(value.index())] = true;
                }
                count += 1;
            }
        }
        let mut count = 0;
        let mut kept = Vec::new();
        for (i, output) in function.outputs.iter().enumerate() {
            let value = function.body.root.yields[i];
            let keeps = match given(output) {
                true => outputs.contains(&count),
                false => wanted[self.find(value.index())],
            };
            count += usize::from(given(output));
            if keeps {
                kept.push(i);
            }
        }
        let place = |old: usize| kept.iter().position(|it| *it == old);
        res.outputs = kept.iter().map(|i| function.outputs[*i].clone()).collect();
        for output in &mut res.outputs {
            if let OutputKind::AliasesOutput(other, offset) = &output.kind {
                // Outputs of one sample are kept together.
                let alias = |it| OutputKind::AliasesOutput(it, offset.clone());
                output.kind = place(*other).map_or(OutputKind::User, alias);
            }
        }
        res.body.root.yields = kept.iter().map(|i| function.body.root.yields[*i]).collect();
        let mut i = 0;
        res.body.root.ops.retain(|_| {
            i += 1;
            wanted[self.find(self.values + i - 1)]
        });
        compact(res)
    }
}

/// Numbers values without gaps, as bodies have them.
fn compact(function: Function) -> Function {
    let text = ir::print_function(&function);
    match ir::parse_module("a part", &text, catalog::ops()) {
        Ok(mut functions) if functions.len() == 1 => functions.swap_remove(0),
        _ => function,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
func @main {
  %0 = param user \"x\" : f32[2]<1>
  %1 = param user \"y\" : f32[2]<1>
  %2 = tensor.neg %0 : f32[2]
  %3 = tensor.exp %1 : f32[2]
  %4 = tensor.exp %2 : f32[2]
  output user \"a\" %4 : f32[2]<1>
  output user \"b\" %3 : f32[2]<1>
}
";

    #[test]
    fn a_size_that_data_defines_stays_with_what_uses_it() {
        let text = "\
func @main {
  symbol u0 in 0..1
  %0 = param user \"n\" : i64[]<>
  %1 = param user \"x\" : f32[2]<1>
  aten.bind_symbol %0 {symbol = \"u0\"}
  %2 = aten.select.int %1 {dim = 0, index = u0} : f32[]<>
  output user \"a\" %2 : f32[]<>
}
";
        let whole = ir::parse_module("test", text, catalog::ops()).unwrap().swap_remove(0);
        assert_eq!(Parts::new(&whole).keep(&whole, &[0]).body.ops().len(), 2);
    }

    #[test]
    fn a_part_has_what_its_outputs_need() {
        let whole = ir::parse_module("test", TWO, catalog::ops()).unwrap().swap_remove(0);
        let parts = Parts::new(&whole);
        let ops = |outputs: &[usize]| {
            let part = parts.keep(&whole, outputs);
            assert_eq!(ir::verify(&part), vec![]);
            part.body.ops().iter().map(|it| it.def.0.name).collect::<Vec<_>>()
        };
        assert_eq!(ops(&[0]), ["tensor.neg", "tensor.exp"]);
        assert_eq!(ops(&[1]), ["tensor.exp"]);
        assert_eq!(ops(&[0, 1]).len(), 3);
    }
}
