//! What a pass works on.

use diag::Diag;
use ir::Function;

/// One function of the program and what was outlined from it: constant functions, kernels.
///
/// A pass may add functions, change them and drop those that nothing refers to any more; the
/// first stays the first. What passes outline has a name that starts with the first's, so that
/// names are unique in the program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// The function being compiled, then what was outlined from it.
    pub functions: Vec<Function>,
}

impl Unit {
    /// A function from which nothing was outlined yet.
    pub fn new(function: Function) -> Unit {
        Unit { functions: vec![function] }
    }

    /// The function being compiled; none in the empty unit.
    pub fn main(&self) -> Option<&Function> {
        self.functions.first()
    }

    /// The function of that name.
    pub fn find(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|it| it.name == name)
    }

    /// The unit as IR text.
    pub fn print(&self) -> String {
        ir::print_module(&self.functions)
    }

    /// Everything wrong with any of the functions.
    pub fn verify(&self) -> Vec<Diag> {
        self.functions.iter().flat_map(ir::verify).collect()
    }

    /// How many ops there are, those inside regions too.
    pub fn op_count(&self) -> usize {
        let mut res = 0;
        for it in &self.functions {
            it.body.for_each_op(&mut |_| res += 1);
        }
        res
    }
}

/// Runs `f` on each function: the shape of most passes. What is wrong with any is reported.
pub fn per_function(
    unit: &Unit,
    mut f: impl FnMut(&Function) -> ir::Result<Function>,
) -> Result<Unit, Vec<Diag>> {
    let mut functions = Vec::with_capacity(unit.functions.len());
    let mut diags = Vec::new();
    for it in &unit.functions {
        match f(it) {
            Ok(it) => functions.push(it),
            Err(it) => diags.push(it),
        }
    }
    if diags.is_empty() { Ok(Unit { functions }) } else { Err(diags) }
}
