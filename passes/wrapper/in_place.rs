//! Whether a kernel may write an output over one of its inputs, proven from its indices.

use ir::{Body, Function, Op, Region, ValueId, View};
use loops::{Load, Store};
use sym::Expr;

/// A load or a store of one tensor.
struct Access {
    /// The outermost statement of the kernel that it is in.
    statement: usize,
    /// The loops around it inside the kernel, by the first value of what they hold.
    path: Vec<usize>,
    /// Its place in program order.
    order: usize,
    at: Vec<Expr>,
    /// The axes of the loops around it inside the kernel.
    inner: Vec<String>,
    is_store: bool,
    /// Whether it is where `at` says, always, and replaces what is there.
    is_plain: bool,
}

/// Whether every element of input `input` is read for the last time before output `output` is
/// written there: both have the same type, and either the same index at the same point, or all
/// reads of a row come in statements before the one that writes it.
pub(crate) fn may_be_in_place(kernel: &Function, input: usize, output: usize) -> bool {
    let body = &kernel.body;
    let [op] = body.ops() else { return false };
    let Some(region) = op.regions.first() else { return false };
    // A kernel that is made to write into an input says so, and writes nowhere else.
    let made_for =
        loops::Kernel::of(View::of(body, &kernel.facts, op)).and_then(|it| it.in_place());
    if let Some(it) = made_for {
        return usize::try_from(it) == Ok(input) && output == 0;
    }
    let Some(&param) = body.root.params.get(input) else { return false };
    let mut places = op.operands().enumerate().filter(|it| it.1 == param).map(|it| it.0);
    let (Some(place), None) = (places.next(), places.next()) else { return false };
    let read = match op.def.0.name {
        "loops.kernel" => place,
        // The products come first among the parameters, and what is multiplied is not among them.
        "loops.gemm" | "loops.conv2d" if 2 <= place => place - 1,
        _ => return false,
    };
    let Some(first_output) = region.params.len().checked_sub(op.results as usize) else {
        return false;
    };
    let (Some(&x), Some(&y)) = (region.params.get(read), region.params.get(first_output + output))
    else {
        return false;
    };
    if first_output <= read || body.ty(x) != body.ty(y) {
        return false;
    }
    let mut walk = Walk { body, kernel, x, y, found: Vec::new(), order: 0 };
    walk.region(region, &mut Vec::new(), &mut Vec::new(), None);
    let axes = axes(body, op);
    let (stores, loads): (Vec<&Access>, Vec<&Access>) =
        walk.found.iter().partition(|it| it.is_store);
    let [store] = stores[..] else { return false };
    // Different points write different elements; an axis that no index has would say otherwise.
    let is_written_once = axes.iter().chain(&store.inner).all(|axis| names(store, axis));
    store.is_plain
        && is_written_once
        && loads.iter().all(|load| load.is_plain && is_before(load, store, &axes))
}

fn names(access: &Access, axis: &str) -> bool {
    access.at.iter().any(|it| it.mentions(axis))
}

fn is_before(load: &Access, store: &Access, axes: &[String]) -> bool {
    if load.path == store.path && load.statement == store.statement {
        return load.order < store.order && load.at == store.at;
    }
    // All of a row is read in an earlier statement, and a row is one point's alone.
    let is_inner = |it: &Expr, of: &Access| {
        it.as_sym().is_some_and(|name| of.inner.iter().any(|axis| axis == name))
    };
    let mentions_inner = |it: &Expr, of: &Access| of.inner.iter().any(|axis| it.mentions(axis));
    let same_row = load.at.iter().zip(&store.at).all(|(a, b)| {
        (is_inner(a, load) && is_inner(b, store))
            || (a == b && !mentions_inner(a, load) && !mentions_inner(b, store))
    });
    let is_row_of_point =
        axes.iter().all(|axis| store.at.iter().any(|it| it.as_sym() == Some(axis.as_str())));
    load.statement < store.statement && same_row && is_row_of_point
}

/// The axes of a kernel that have more than one point.
fn axes(body: &Body, op: &Op) -> Vec<String> {
    let facts = sym::Facts::default();
    match loops::Kernel::of(View::of(body, &facts, op)) {
        Some(it) => {
            let long = it.axes().into_iter().zip(it.extents());
            long.filter(|it| it.1 != Expr::int(1)).map(|it| it.0).collect()
        }
        // An epilogue runs once for each element of its outputs.
        None => Vec::new(),
    }
}

struct Walk<'a> {
    body: &'a Body,
    kernel: &'a Function,
    x: ValueId,
    y: ValueId,
    found: Vec<Access>,
    order: usize,
}

impl Walk<'_> {
    fn region(
        &mut self,
        region: &Region,
        path: &mut Vec<usize>,
        inner: &mut Vec<String>,
        statement: Option<usize>,
    ) {
        for (i, op) in region.ops.iter().enumerate() {
            let statement = statement.unwrap_or(i);
            self.order += 1;
            self.access(op, path, inner, statement);
            if op.regions.is_empty() {
                continue;
            }
            let here = self.order;
            let depth = inner.len();
            inner.extend(loop_axes(self.body, self.kernel, op));
            for region in &op.regions {
                path.push(here);
                self.region(region, path, inner, Some(statement));
                path.pop();
            }
            inner.truncate(depth);
        }
    }

    fn access(&mut self, op: &Op, path: &[usize], inner: &[String], statement: usize) {
        let view = View::of(self.body, &self.kernel.facts, op);
        let (at, is_store, is_plain) = if let Some(it) = Load::of(view) {
            if it.t() != self.x {
                return;
            }
            (it.at(), false, it.dynamic().is_empty())
        } else if let Some(it) = Store::of(view) {
            match it.t() {
                t if t == self.y => {
                    let is_plain =
                        it.dynamic().is_empty() && it.mask().is_none() && it.mode() == "set";
                    (it.at(), true, is_plain)
                }
                // An input that is written is no input.
                t if t == self.x => (it.at(), true, false),
                _ => return,
            }
        } else {
            // Whatever else takes either tensor whole reads or writes who knows what.
            if op.operands().any(|it| it == self.x || it == self.y) {
                let at = Vec::new();
                let (path, inner) = (path.to_vec(), inner.to_vec());
                let order = self.order;
                let is_plain = false;
                let is_store = true;
                self.found.push(Access { statement, path, order, at, inner, is_store, is_plain });
            }
            return;
        };
        let (path, inner, order) = (path.to_vec(), inner.to_vec(), self.order);
        self.found.push(Access { statement, path, order, at, inner, is_store, is_plain });
    }
}

/// The axes that a loop inside a kernel runs along.
fn loop_axes(body: &Body, kernel: &Function, op: &Op) -> Vec<String> {
    let view = View::of(body, &kernel.facts, op);
    if let Some(it) = loops::Reduce::of(view) {
        it.axes()
    } else if let Some(it) = loops::For::of(view) {
        it.axes()
    } else if let Some(it) = loops::Fold::of(view) {
        vec![it.axis()]
    } else {
        Vec::new()
    }
}
