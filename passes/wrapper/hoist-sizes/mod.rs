//! Sizes that several statements compute get a name and are computed once, where they are first
//! needed.
//!
//! What is shared is found by `sym::share`. Types keep the model's symbols: they are for people and
//! for what is proven of them. So do checks, whose messages show the size.

use diag::Diag;
use ir::{Attr, Function, Op, Result, Rewriter};
use pass::{PassCx, PassDef, Unit};
use rustc_hash::FxHashMap;
use sym::Expr;
use wrapper::Size;

/// The pass.
pub(crate) static HOIST_SIZES: PassDef = PassDef::new(
    "hoist-sizes",
    "compute sizes that are needed again and again once",
    include_str!("README.md"),
    run,
);

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    crate::per_host_function(unit, |function| hoist(function, cx))
}

/// An attribute that is a size: of which op, and which.
type Site = (usize, usize);

fn hoist(function: &Function, cx: &PassCx<'_>) -> Result<Function> {
    let ops = function.body.ops();
    let early = wrapper::early_arena(function);
    // Where each size is needed, in the order in which the program gets there.
    let mut sites: Vec<(usize, Site)> = Vec::new();
    for (at, op) in ops.iter().enumerate().filter(|it| !is_check(it.1)) {
        let sizes = op.attrs.iter().enumerate().filter(|it| matches!(it.1, Attr::Size(_)));
        for (attr, _) in sizes {
            // Where the arena is made, its size is needed, and where workspaces lie in it.
            let is_early =
                |it: &(usize, usize)| it.1 == at || op.def.0.attrs[attr].name == "workspace";
            let needed = early.filter(is_early).map_or(at, |it| it.0);
            sites.push((needed, (at, attr)));
        }
    }
    sites.sort_by_key(|it| it.0);
    let size = |site: &Site| match &ops[site.0].attrs[site.1] {
        Attr::Size(it) => it.clone(),
        _ => Expr::int(0),
    };
    let mut exprs: Vec<Expr> = sites.iter().map(|it| size(&it.1)).collect();
    let mut parts = sym::share(&mut exprs, "size").into_iter().peekable();
    if parts.peek().is_none() {
        return Ok(function.clone());
    }
    cx.count("sizes computed once", parts.len() as u64);
    let new: FxHashMap<Site, &Expr> = sites.iter().map(|it| it.1).zip(&exprs).collect();
    let mut facts = function.facts.clone();
    let mut it = Rewriter::new(function);
    for (at, op) in ops.iter().enumerate() {
        // Parts come in the order of need, so those of this statement are the next ones.
        let needs = |name: &str| {
            let here = sites.iter().zip(&exprs).filter(|it| it.0.0 == at);
            here.into_iter().any(|it| it.1.mentions(name))
        };
        let last = parts.clone().enumerate().filter(|it| needs(&it.1.0)).last();
        for _ in 0..last.map_or(0, |it| it.0 + 1) {
            let Some((name, value)) = parts.next() else { break };
            facts.set_range(&name, sym::range(&value, &facts));
            it.new.origin = op.origin;
            Size::build(&mut it.new, name, value)?;
        }
        let mut changed = op.clone();
        for (i, attr) in changed.attrs.iter_mut().enumerate() {
            if let Some(by) = new.get(&(at, i)) {
                *attr = Attr::Size((*by).clone());
            }
        }
        it.copy(&changed)?;
    }
    let mut res = it.finish();
    res.facts = facts;
    Ok(res)
}

/// What comes before the inputs are taken, and says what was expected in the model's own symbols.
fn is_check(op: &Op) -> bool {
    matches!(op.def.0.name, "wrapper.bind" | "wrapper.check_dim" | "wrapper.assert")
}
