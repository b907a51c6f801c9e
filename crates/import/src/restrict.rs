//! A program with some of its outputs, and what they need.

use indexmap::IndexMap;

use crate::schema::{
    Argument, ExportedProgram, InputSpec, Node, OptionalTensorArgument, OutputSpec,
    SymBoolArgument, SymFloatArgument, SymIntArgument,
};

/// The program without the outputs that `keeps` does not take, by their position among those a
/// caller is given, and without the nodes that have nothing to do with the others. Inputs stay all.
///
/// What reads or makes one value has to do with each other, and so has what takes one input of the
/// caller: a node that writes it in place has no other tie to those that read it afterwards.
/// Weights tie nothing.
pub fn restrict(program: &ExportedProgram, keeps: &dyn Fn(usize) -> bool) -> ExportedProgram {
    let mut res = program.clone();
    let module = &mut res.graph_module;
    let weights = module.signature.input_specs.iter().filter_map(InputSpec::weight);
    let mut parts = Parts::default();
    for (name, _) in weights {
        parts.shared.push(name.to_owned());
    }
    for (i, node) in module.graph.nodes.iter().enumerate() {
        names_of(node, &mut |name| parts.join(&format!("\n{i}"), name));
    }
    let mut given = 0;
    let mut kept: Vec<bool> = Vec::new();
    let mut wanted: Vec<usize> = Vec::new();
    for (spec, output) in module.signature.output_specs.iter().zip(&module.graph.outputs) {
        let is_given =
            matches!(spec, OutputSpec::UserOutput { .. } | OutputSpec::LossOutput { .. });
        let keep = is_given && keeps(given);
        given += usize::from(is_given);
        if keep {
            names(output, &mut |name| wanted.push(parts.of(name)));
        }
        kept.push(keep);
    }
    let is_wanted = |parts: &mut Parts, name: &str| {
        let part = parts.of(name);
        wanted.contains(&part)
    };
    for (i, output) in module.graph.outputs.iter().enumerate() {
        let is_given = matches!(
            module.signature.output_specs.get(i),
            Some(OutputSpec::UserOutput { .. } | OutputSpec::LossOutput { .. })
        );
        if !is_given && let Some(kept) = kept.get_mut(i) {
            names(output, &mut |name| *kept |= is_wanted(&mut parts, name));
        }
    }
    let mut i = 0;
    module.graph.nodes.retain(|_| {
        i += 1;
        is_wanted(&mut parts, &format!("\n{}", i - 1))
    });
    retain(&mut module.graph.outputs, &kept);
    retain(&mut module.signature.output_specs, &kept);
    res
}

fn retain<T>(list: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    list.retain(|_| kept.next().copied().unwrap_or(false));
}

/// Names by part.
#[derive(Default)]
struct Parts {
    /// Each name's parent; a part's representative is its own.
    parents: Vec<usize>,
    numbers: IndexMap<String, usize>,
    /// Names that tie nothing.
    shared: Vec<String>,
}

impl Parts {
    fn of(&mut self, name: &str) -> usize {
        let fresh = self.parents.len();
        let mut it = match self.numbers.get(name) {
            Some(it) => *it,
            None => {
                self.numbers.insert(name.to_owned(), fresh);
                self.parents.push(fresh);
                fresh
            }
        };
        while let Some(parent) = self.parents.get(it).filter(|parent| **parent != it) {
            it = *parent;
        }
        it
    }

    fn join(&mut self, a: &str, b: &str) {
        if self.shared.iter().any(|it| it == b) {
            return;
        }
        let (a, b) = (self.of(a), self.of(b));
        if let Some(it) = self.parents.get_mut(a.max(b)) {
            *it = a.min(b);
        }
    }
}

/// Every value that a node reads or makes.
fn names_of(node: &Node, f: &mut dyn FnMut(&str)) {
    node.inputs.iter().for_each(|it| names(&it.arg, f));
    node.outputs.iter().for_each(|it| names(it, f));
}

fn names(argument: &Argument, f: &mut dyn FnMut(&str)) {
    let mut int = |it: &SymIntArgument| match it {
        SymIntArgument::Name(name) => f(name),
        SymIntArgument::Int(_) => (),
    };
    match argument {
        Argument::SymInt(it) => return int(it),
        Argument::SymInts(list) => return list.iter().for_each(int),
        _ => (),
    }
    let mut optional = |it: &OptionalTensorArgument| match it {
        OptionalTensorArgument::Tensor(it) => f(&it.name),
        OptionalTensorArgument::None(_) => (),
    };
    match argument {
        Argument::OptionalTensor(it) => return optional(it),
        Argument::OptionalTensors(list) => return list.iter().for_each(optional),
        _ => (),
    }
    match argument {
        Argument::Tensor(it) => f(&it.name),
        Argument::Tensors(list) => list.iter().for_each(|it| f(&it.name)),
        Argument::NestedTensors(lists) => lists.iter().flatten().for_each(|it| f(&it.name)),
        Argument::SymFloat(SymFloatArgument::Name(name)) => f(name),
        Argument::SymFloats(list) => list.iter().for_each(|it| match it {
            SymFloatArgument::Name(name) => f(name),
            SymFloatArgument::Float(_) => (),
        }),
        Argument::SymBool(SymBoolArgument::Name(name)) => f(name),
        Argument::SymBools(list) => list.iter().for_each(|it| match it {
            SymBoolArgument::Name(name) => f(name),
            SymBoolArgument::Bool(_) => (),
        }),
        Argument::CustomObj(it) => f(&it.name),
        Argument::StringToArgument(map) => map.values().for_each(|it| names(it, f)),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = include_str!("../tests/two_parts.json");

    fn targets(keeps: &dyn Fn(usize) -> bool) -> (Vec<String>, usize) {
        let program: ExportedProgram = serde_json::from_str(PROGRAM).unwrap();
        let graph = restrict(&program, keeps).graph_module.graph;
        (graph.nodes.into_iter().map(|it| it.target).collect(), graph.outputs.len())
    }

    #[test]
    fn nodes_stay_with_the_outputs_they_have_to_do_with() {
        let name = |it: &str| format!("torch.ops.aten.{it}");
        // The write in place of `x` has no result that anything reads.
        assert_eq!(targets(&|it| it == 0), (vec![name("add_.Tensor"), name("neg.default")], 1));
        assert_eq!(targets(&|it| it == 1), (vec![name("exp.default")], 1));
        assert_eq!(targets(&|_| true).0.len(), 3);
        assert_eq!(targets(&|_| false), (vec![], 0));
    }
}
