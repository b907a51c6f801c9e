//! What a pass works on.

use diag::Diag;
use ir::Function;

/// One function of the program and what was outlined from it: constant functions, kernels.
///
/// A pass may add functions, change them and drop those that nothing refers to any more; the
/// first stays the first. A kernel is named by what it says, see [`KERNEL_PREFIX`], and anything
/// else that is outlined by the first's name, a dot, and more: so names are unique in the program,
/// and a module of several units can be taken apart again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// The function being compiled, then what was outlined from it.
    pub functions: Vec<Function>,
}

/// What the name of a kernel starts with; the rest is a hash of what it says, so that kernels of
/// one name are one kernel.
pub const KERNEL_PREFIX: &str = "tt_kernel_";

impl Unit {
    /// A function from which nothing was outlined yet.
    pub fn new(function: Function) -> Unit {
        Unit { functions: vec![function] }
    }

    /// Takes a module apart: a function called `a.…` belongs to the function `a` before it, a
    /// kernel to the unit before it.
    pub fn split(functions: Vec<Function>) -> Vec<Unit> {
        let mut res: Vec<Unit> = Vec::new();
        for function in functions {
            let owner = res.iter_mut().rev().find(|it| {
                let main = it.main().map_or("", |it| &it.name);
                let rest = function.name.strip_prefix(main);
                function.name.starts_with(KERNEL_PREFIX)
                    || rest.is_some_and(|it| it.starts_with('.'))
            });
            match owner {
                Some(it) => it.functions.push(function),
                None => res.push(Unit::new(function)),
            }
        }
        res
    }

    /// The function being compiled; none in the empty unit.
    pub fn main(&self) -> Option<&Function> {
        self.functions.first()
    }

    /// The function of that name.
    pub fn find(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|it| it.name == name)
    }

    /// Whether every op of the first function has an evaluator.
    pub fn can_be_evaluated(&self) -> bool {
        let mut res = true;
        for it in self.functions.iter().take(1) {
            it.body.for_each_op(&mut |op| res &= op.def.0.eval.is_some());
        }
        res
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_taken_apart_by_names() {
        let function = |name: &str| Function { name: name.to_owned(), ..Function::default() };
        let names =
            ["main", "main.a", "tt_kernel_0", "branch", "main_2", "branch.constants.x", "main.b"];
        let units = Unit::split(names.map(function).into());
        let found: Vec<Vec<&str>> =
            units.iter().map(|it| it.functions.iter().map(|it| &*it.name).collect()).collect();
        assert_eq!(
            found,
            [
                vec!["main", "main.a", "tt_kernel_0", "main.b"],
                vec!["branch", "branch.constants.x"],
                vec!["main_2"]
            ]
        );
    }
}
