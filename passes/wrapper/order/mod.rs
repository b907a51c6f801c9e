//! Order: statements in one of the orders that data allows, with less memory in use at once.
//!
//! An order is kept only if it is no worse at any of some sizes and better at one, after results
//! have been put over inputs. So programs that gain nothing stay as they are, and with them the
//! nearness of a result to its use.

mod graph;
mod schedule;

use diag::Diag;
use ir::{Function, Op, Result, Rewriter, ValueId};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;

use self::{graph::Graph, schedule::Problem};
use crate::{
    arena::{Item, check_items, lower_bound},
    lives::Root,
    plan_memory::{bytes_of, points},
    reuse_buffers,
};

/// The pass.
pub(crate) static ORDER: PassDef = PassDef::new(
    "order",
    "order statements so that less memory is in use at once",
    include_str!("README.md"),
    run,
);

/// More statements than this stay as they are: orders are tried one by one.
const MOST: usize = 4000;

fn run(unit: &Unit, cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    crate::per_host_function(unit, |function| match function.body.ops().len() <= MOST {
        true => order(function, unit, cx),
        false => Ok(function.clone()),
    })
}

fn order(function: &Function, unit: &Unit, cx: &PassCx<'_>) -> Result<Function> {
    let graph = Graph::of(function, unit);
    let samples = Samples::of(function, &graph);
    let Some(middle) = samples.problems.first() else { return Ok(function.clone()) };
    let before = samples.peaks(&reuse_buffers::lives_after(function, unit));
    let Some(&at_first) = before.first() else { return Ok(function.clone()) };
    let mut best = (before.clone(), None);
    for order in schedule::candidates(middle) {
        let candidate = rewritten(function, &graph, &order)?;
        let peaks = samples.peaks(&reuse_buffers::lives_after(&candidate, unit));
        let pairs = || peaks.iter().zip(&best.0);
        let is_better = peaks.len() == best.0.len()
            && pairs().all(|(new, old)| new <= old)
            && pairs().any(|(new, old)| new < old);
        if is_better {
            best = (peaks, Some(candidate));
        }
    }
    cx.count("bytes at the peak before", at_first.unsigned_abs());
    cx.count("bytes at the peak after", best.0.first().map_or(0, |it| it.unsigned_abs()));
    Ok(best.1.unwrap_or_else(|| function.clone()))
}

/// Sizes at which orders are compared, and the scheduling problem at each.
struct Samples {
    points: Vec<Vec<(String, i64)>>,
    problems: Vec<Problem>,
}

impl Samples {
    fn of(function: &Function, graph: &Graph) -> Samples {
        let size = |it: &ValueId| bytes_of(function, *it);
        let sizes: Vec<Expr> = graph.roots.iter().map(size).collect();
        let mut res = Samples { points: Vec::new(), problems: Vec::new() };
        for point in points(&sizes, &function.facts) {
            let sizes: Option<Vec<i64>> = sizes.iter().map(|it| eval(it, &point)).collect();
            let Some(sizes) = sizes else { continue };
            if sizes.iter().try_fold(0_i64, |sum, it| sum.checked_add(*it)).is_some() {
                res.problems.push(graph.problem(sizes));
                res.points.push(point);
            }
        }
        res
    }

    /// The most that is in use at once, at each of the sizes.
    fn peaks(&self, roots: &[(Root, Expr)]) -> Vec<i64> {
        let at = |point: &Vec<(String, i64)>| {
            let item = |(root, size): &(Root, Expr)| {
                let (start, end) = root.life.unwrap_or((0, 0));
                let size = eval(size, point)?;
                Some(Item { start: start as i64, end: end as i64, size })
            };
            let items: Vec<Item> = roots.iter().map(item).collect::<Option<_>>()?;
            check_items(&items).ok()?;
            Some(lower_bound(&items))
        };
        self.points.iter().map(at).map(|it| it.unwrap_or(i64::MAX)).collect()
    }
}

/// A size at a point, if that is no less than nothing.
fn eval(size: &Expr, point: &[(String, i64)]) -> Option<i64> {
    let value = |name: &str| point.iter().find(|it| it.0 == name).map(|it| it.1);
    size.eval(&value).ok().filter(|it| 0 <= *it)
}

/// The function with its nodes in another order. What makes a tensor or a view of one comes right
/// before the first node that needs it.
fn rewritten(function: &Function, graph: &Graph, order: &[usize]) -> Result<Function> {
    let ops = function.body.ops();
    let mut it = Rewriter::new(function);
    let mut done = vec![false; ops.len()];
    for node in order {
        emit(&mut it, ops, graph, graph.nodes[*node], &mut done)?;
    }
    for at in 0..ops.len() {
        emit(&mut it, ops, graph, at, &mut done)?;
    }
    Ok(it.finish())
}

/// Copies an op after what makes its operands.
fn emit(
    it: &mut Rewriter<'_>,
    ops: &[Op],
    graph: &Graph,
    at: usize,
    done: &mut [bool],
) -> Result<()> {
    let mut stack = vec![at];
    while let Some(at) = stack.pop() {
        if done[at] {
            continue;
        }
        let missing: Vec<usize> =
            ops[at].operands().filter_map(|it| graph.maker(it)).filter(|it| !done[*it]).collect();
        if missing.is_empty() {
            done[at] = true;
            it.copy(&ops[at])?;
        } else {
            stack.push(at);
            stack.extend(missing);
        }
    }
    Ok(())
}

/// Whether an op does nothing but name memory, so that it can stand anywhere before its uses.
fn only_names(op: &Op) -> bool {
    matches!(
        op.def.0.name,
        "wrapper.alloc" | "wrapper.output_alloc" | "wrapper.result" | "wrapper.view"
    )
}
