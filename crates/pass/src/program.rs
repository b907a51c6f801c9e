//! Programs: functions that call each other.

use std::{collections::BTreeMap, sync::Arc};

use diag::{Diag, codes};
use ir::{Builder, Function, Op, Origin, Region, ValueId, View};

use crate::{KERNEL_PREFIX, Unit};

/// The units of a program as one.
pub fn join_units<'a>(units: impl Iterator<Item = &'a Unit>) -> Unit {
    let mut functions: Vec<Function> = Vec::new();
    for function in units.flat_map(|it| &it.functions) {
        // Units that share a kernel each have it.
        let is_known = function.name.starts_with(KERNEL_PREFIX)
            && functions.iter().any(|it| it.name == function.name);
        if !is_known {
            functions.push(function.clone());
        }
    }
    Unit { functions }
}

/// The program taken apart again: for each of the functions called `names` its unit, empty if it
/// is no longer there.
pub fn part_units(program: &Unit, names: &[&str]) -> Vec<Arc<Unit>> {
    let mut parts: BTreeMap<&str, Vec<Function>> = BTreeMap::new();
    for function in &program.functions {
        let is_owner = |it: &&&str| {
            let rest = function.name.strip_prefix(**it);
            rest.is_some_and(|it| it.is_empty() || it.starts_with('.'))
        };
        // A function may be called as another with more behind a dot: the longest name owns.
        let owner = names.iter().filter(is_owner).max_by_key(|it| it.len());
        if let Some(owner) = owner.or(names.first()) {
            parts.entry(owner).or_default().push(function.clone());
        }
    }
    let mut part = |name: &str| parts.remove(name).unwrap_or_default();
    names.iter().map(|it| Arc::new(Unit { functions: part(it) })).collect()
}

/// The functions that the first one of a program calls, however deep, by their places in it: those
/// that are called before those that call them, so the first one last. An error if one calls itself.
/// What is called and is not there is passed over.
pub fn call_order(program: &Unit) -> Result<Vec<usize>, Diag> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let functions = &program.functions;
    let places: BTreeMap<&str, usize> =
        functions.iter().enumerate().map(|(i, it)| (it.name.as_str(), i)).collect();
    let mut seen = vec![Seen::No; functions.len()];
    let mut order = Vec::new();
    let mut work: Vec<usize> = (0..functions.len().min(1)).collect();
    while let Some(&at) = work.last() {
        let function = &functions[at];
        if seen[at] != Seen::No {
            work.pop();
            if seen[at] == Seen::Open {
                seen[at] = Seen::Done;
                order.push(at);
            }
            continue;
        }
        seen[at] = Seen::Open;
        for op in function.body.ops() {
            let view = View::of(&function.body, &function.facts, op);
            for name in view.called() {
                let Some(&callee) = places.get(name.as_str()) else { continue };
                match seen[callee] {
                    Seen::Open => {
                        let message = format!("@{name} calls itself");
                        return Err(Diag::error(&codes::BODY, message).at(op.origin.0));
                    }
                    Seen::No => work.push(callee),
                    Seen::Done => (),
                }
            }
        }
    }
    Ok(order)
}

/// Copies what a function does into a body: `args` are its parameters. All ops come from `origin`,
/// since numbers of origins are a function's own. Gives what the function gives.
pub fn splice(
    into: &mut Builder<'_>,
    function: &Function,
    args: &[ValueId],
    origin: Origin,
) -> ir::Result<Vec<ValueId>> {
    let body = &function.body;
    let mut copy = Splice { function, map: vec![None; body.types.len()], origin };
    for (param, arg) in body.root.params.iter().zip(args) {
        copy.map[param.index()] = Some(*arg);
    }
    for op in body.ops() {
        copy.op(into, op)?;
    }
    body.root.yields.iter().map(|it| copy.get(*it)).collect()
}

struct Splice<'a> {
    function: &'a Function,
    map: Vec<Option<ValueId>>,
    origin: Origin,
}

impl Splice<'_> {
    fn get(&self, value: ValueId) -> ir::Result<ValueId> {
        self.map[value.index()].ok_or_else(|| {
            Diag::error(&codes::BODY, format!("@{} is given too little", self.function.name))
        })
    }

    fn op(&mut self, into: &mut Builder<'_>, op: &Op) -> ir::Result<()> {
        for region in &op.regions {
            self.region(into, region)?;
        }
        into.origin = self.origin;
        let mut missing = None;
        let mut get = |it: ValueId| match self.get(it) {
            Ok(it) => it,
            Err(error) => {
                missing = Some(error);
                it
            }
        };
        let args: Vec<_> = op.args.iter().map(|it| it.map(&mut get)).collect();
        if let Some(error) = missing {
            return Err(error);
        }
        let stated = op.results().map(|it| self.function.body.ty(it).clone()).collect();
        let made = into.push_stated(op.def, args, op.attrs.clone(), Some(stated))?;
        for (old, new) in op.results().zip(made) {
            self.map[old.index()] = Some(new);
        }
        Ok(())
    }

    fn region(&mut self, into: &mut Builder<'_>, region: &Region) -> ir::Result<()> {
        into.begin_region();
        for param in &region.params {
            let new = into.param(self.function.body.ty(*param).clone());
            self.map[param.index()] = Some(new);
        }
        for op in &region.ops {
            self.op(into, op)?;
        }
        let yields = region.yields.iter().map(|it| self.get(*it)).collect::<ir::Result<_>>()?;
        into.end_region(yields);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_joined_and_taken_apart() {
        let function = |name: &str| Function { name: name.to_owned(), ..Function::default() };
        let unit =
            |names: &[&str]| Unit { functions: names.iter().map(|it| function(it)).collect() };
        let kernel = "tt_kernel_0";
        let units =
            [unit(&["main", "main.constants.x", kernel]), unit(&["main.a", kernel]), unit(&["b"])];
        let joined = join_units(units.iter());
        assert_eq!(joined.functions.len(), 5);
        let mut changed = joined;
        changed.functions.retain(|it| it.name != "b");
        let parts = part_units(&changed, &["main", "main.a", "b"]);
        assert_eq!(*parts[0], units[0]);
        assert_eq!(*parts[1], unit(&["main.a"]));
        assert_eq!(*parts[2], Unit::default());
    }
}
