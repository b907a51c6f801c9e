//! Examples in the documentation of ops.

use ir::{OpRef, parse_function};

use crate::{check::round_trip, files::fences};

/// Checks that each op's documentation has an `ir` example that uses the op, and that it parses
/// and prints back. An example is ops alone, over the symbols `s0` and `s1`, at least 1.
/// Gives what is wrong, one text per op.
pub fn check_examples(ops: &[OpRef], known: &[OpRef]) -> Vec<String> {
    ops.iter().filter_map(|op| check(*op, known).err()).collect()
}

fn check(op: OpRef, known: &[OpRef]) -> Result<(), String> {
    let name = op.0.name;
    // The documentation's lines start with the space after `///`.
    let doc: String =
        op.0.doc.lines().map(|it| format!("{}\n", it.strip_prefix(' ').unwrap_or(it))).collect();
    let fences = fences(&doc);
    let [fence] = &fences[..] else {
        return Err(format!("{name} has {} examples, not one", fences.len()));
    };
    let example = &doc[fence.clone()];
    if !example.contains(name) {
        return Err(format!("the example of {name} does not use it"));
    }
    let text = format!("func @main {{\nsymbol s0 in 1..\nsymbol s1 in 1..\n{example}}}\n");
    let function = parse_function(name, &text, known)
        .map_err(|it| format!("the example of {name}: {}\n{example}", it.message))?;
    round_trip(&[function], known)
}
