//! Effect tokens, by which an export orders calls that have an effect. Nodes are in that order
//! already, so tokens go: a call wrapped for the sake of one becomes the call itself.

use crate::schema::{Argument, ExportedProgram, InputSpec, Node, OutputSpec};

const WRAPPER: &str = "torch.ops.higher_order.with_effects";

/// Takes all tokens out of the program.
pub(crate) fn remove(program: &mut ExportedProgram) {
    let signature = &mut program.graph_module.signature;
    let graph = &mut program.graph_module.graph;
    let is_input = |it: Option<&InputSpec>| matches!(it, Some(InputSpec::Token { .. }));
    let is_output = |it: Option<&OutputSpec>| matches!(it, Some(OutputSpec::Token { .. }));
    drop_where(&mut graph.inputs, |i| is_input(signature.input_specs.get(i)));
    drop_where(&mut graph.outputs, |i| is_output(signature.output_specs.get(i)));
    signature.input_specs.retain(|it| !is_input(Some(it)));
    signature.output_specs.retain(|it| !is_output(Some(it)));
    graph.nodes.iter_mut().filter(|it| it.target == WRAPPER).for_each(unwrap);
}

fn drop_where<T>(list: &mut Vec<T>, mut drops: impl FnMut(usize) -> bool) {
    let mut i = 0;
    list.retain(|_| {
        i += 1;
        !drops(i - 1)
    });
}

/// `with_effects(token, operator, …) -> (token, …)` as the call of the operator. What has another
/// form is left as it is, for the import to refuse.
fn unwrap(node: &mut Node) {
    let Some(Argument::Operator(target)) = node.inputs.get(1).map(|it| &it.arg) else { return };
    node.target = target.clone();
    node.inputs.drain(..2);
    if !node.outputs.is_empty() {
        node.outputs.remove(0);
    }
    node.outputs.retain(|it| !matches!(it, Argument::None(_)));
}
