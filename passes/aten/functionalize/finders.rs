//! What must be computed though nobody reads it: how much was found is a size that others read.

use std::collections::BTreeSet;

use aten::BindSymbol;
use ir::{Attr, Body, Op, Type, ValueId, View};
use sym::Facts;

/// The results whose sizes only they say, if an op reads one of those sizes: masked rows of which only
/// the number is asked for.
pub(super) fn finders(body: &Body) -> Vec<ValueId> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for it in &body.root.params {
        sizes(body.ty(*it), &mut |it| {
            known.insert(it.to_owned());
        });
    }
    for op in body.ops() {
        if let Some(it) = BindSymbol::of(View::of(body, &Facts::default(), op)) {
            known.insert(it.symbol());
        }
        for result in op.results() {
            sizes(body.ty(result), &mut |symbol| {
                if known.insert(symbol.to_owned()) {
                    found.push((result, symbol.to_owned()));
                }
            });
        }
    }
    found.retain(|it| body.ops().iter().any(|op| reads(op, &it.1)));
    found.into_iter().map(|it| it.0).collect()
}

fn sizes(ty: &Type, f: &mut dyn FnMut(&str)) {
    let shape = ty.as_tensor().map(|it| &*it.shape).unwrap_or_default();
    shape.iter().for_each(|it| it.symbols().iter().for_each(|it| f(it)));
}

/// Bodies of control flow may read any symbol.
fn reads(op: &Op, symbol: &str) -> bool {
    op.attrs.iter().any(|it| {
        let mut found = matches!(it, Attr::Ref(_));
        it.for_each_expr(&mut |it| found |= it.mentions(symbol));
        found
    })
}
