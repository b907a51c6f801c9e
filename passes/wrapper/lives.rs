//! When each tensor of the arena is in use.
//!
//! Statements are numbered in program order, those of a region between the two numbers of the
//! statement that holds it. A tensor lives from the first statement that uses it, or a view of it,
//! to the last. A use inside a region that the tensor was not made in counts for the whole
//! statement that holds the region, which may run the region again. So tensors of two branches
//! share, and what a loop's body makes and drops shares with nothing that lives across the loop.

use ir::{Alias, Function, Op, Region, ValueId, View as OpView};
use wrapper::{Alloc, Slice};

/// A tensor that has memory of its own, or a place in the arena.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// Its value.
    pub value: ValueId,
    /// The first statement that uses it and the one after the last; none if nothing does.
    pub life: Option<(usize, usize)>,
}

impl Root {
    /// Whether both are in use at some moment.
    pub(crate) fn meets(&self, other: &Root) -> bool {
        match (self.life, other.life) {
            (Some(a), Some(b)) => a.0 < b.1 && b.0 < a.1,
            _ => false,
        }
    }
}

/// The lives of all tensors that [`Alloc`] or [`Slice`] makes, in program order.
pub(crate) struct Lives {
    pub roots: Vec<Root>,
    /// For each value the tensors whose memory it may be.
    pub owners: Vec<Vec<usize>>,
    /// How many statements there are.
    pub end: usize,
    /// The number of each outermost statement.
    pub starts: Vec<usize>,
    /// Values that were put in the place of a tensor, whole.
    pub merged: Vec<ValueId>,
}

impl Lives {
    pub(crate) fn of(function: &Function) -> Lives {
        let body = &function.body;
        let mut walk = Walk {
            function,
            res: Lives {
                roots: Vec::new(),
                owners: vec![Vec::new(); body.types.len()],
                end: 0,
                starts: Vec::new(),
                merged: Vec::new(),
            },
            depths: Vec::new(),
            open: Vec::new(),
            isolated: 0,
        };
        walk.region(&body.root);
        walk.res
    }

    /// Notes that `output`, a tensor of its own till now, lies where `input` does.
    pub(crate) fn merge(&mut self, input: ValueId, output: ValueId) {
        let (Some(&from), Some(&to)) =
            (self.owners[input.index()].first(), self.owners[output.index()].first())
        else {
            return;
        };
        let ends = self.roots[to].life.map(|it| it.1);
        if let (Some(life), Some(end)) = (&mut self.roots[from].life, ends) {
            life.1 = life.1.max(end);
        }
        self.merged.push(output);
        for owners in self.owners.iter_mut().filter(|it| it.contains(&to)) {
            owners.iter_mut().filter(|it| **it == to).for_each(|it| *it = from);
            owners.sort_unstable();
            owners.dedup();
        }
    }
}

struct Walk<'a> {
    function: &'a Function,
    res: Lives,
    /// For each tensor how many regions it was made inside of.
    depths: Vec<usize>,
    /// For each statement whose regions are being walked, the tensors from outside used there.
    open: Vec<Vec<usize>>,
    /// How many of them see nothing from outside, so that no arena reaches into them.
    isolated: usize,
}

impl Walk<'_> {
    fn region(&mut self, region: &Region) {
        for op in &region.ops {
            if self.open.is_empty() {
                self.res.starts.push(self.res.end);
            }
            match op.regions.is_empty() {
                true => self.statement(op),
                false => self.holder(op),
            }
        }
    }

    fn statement(&mut self, op: &Op) {
        let at = self.res.end;
        self.res.end += 1;
        let view = OpView::of(&self.function.body, &self.function.facts, op);
        for value in op.operands() {
            self.use_at(value, at);
        }
        let is_root = Alloc::of(view).is_some() || Slice::of(view).is_some();
        if is_root && self.isolated == 0 {
            self.res.owners[op.result().index()] = vec![self.res.roots.len()];
            self.res.roots.push(Root { value: op.result(), life: None });
            self.depths.push(self.open.len());
            return;
        }
        let owners = match op.def.0.alias {
            Alias::Fresh => return,
            Alias::ViewOf(i) | Alias::InPlace(i) => {
                self.owners_of(op.args.get(i).into_iter().flat_map(ir::Arg::values))
            }
            Alias::BySchema => self.owners_of(op.operands()),
        };
        for result in op.results() {
            self.res.owners[result.index()].clone_from(&owners);
        }
    }

    /// A statement with regions: what they are given may be its operands, and what it gives may be
    /// whatever they yield or were given.
    fn holder(&mut self, op: &Op) {
        let start = self.res.end;
        self.res.end += 1;
        op.operands().for_each(|it| self.use_at(it, start));
        let given = self.owners_of(op.operands());
        let mut yielded = given.clone();
        self.open.push(Vec::new());
        self.isolated += usize::from(op.def.0.isolated);
        for region in &op.regions {
            for param in &region.params {
                self.res.owners[param.index()].clone_from(&given);
            }
            self.region(region);
            yielded.extend(self.owners_of(region.yields.iter().copied()));
        }
        self.isolated -= usize::from(op.def.0.isolated);
        yielded.sort_unstable();
        yielded.dedup();
        let end = self.res.end;
        self.res.end += 1;
        let outside = self.open.pop().unwrap_or_default();
        for i in outside.into_iter().chain(yielded.iter().copied()) {
            self.extend(i, start);
            self.extend(i, end);
        }
        for result in op.results() {
            self.res.owners[result.index()].clone_from(&yielded);
        }
    }

    fn owners_of(&self, values: impl Iterator<Item = ValueId>) -> Vec<usize> {
        let mut res: Vec<usize> =
            values.flat_map(|it| self.res.owners[it.index()].iter().copied()).collect();
        res.sort_unstable();
        res.dedup();
        res
    }

    fn use_at(&mut self, value: ValueId, at: usize) {
        for i in self.res.owners[value.index()].clone() {
            self.extend(i, at);
        }
    }

    fn extend(&mut self, i: usize, at: usize) {
        let (start, end) = self.res.roots[i].life.unwrap_or((at, at + 1));
        self.res.roots[i].life = Some((start.min(at), end.max(at + 1)));
        for outside in self.open.iter_mut().skip(self.depths[i]) {
            if !outside.contains(&i) {
                outside.push(i);
            }
        }
    }
}
