//! Where a kernel's own memory may begin.
//!
//! A workspace is in use while its kernel runs, as tensors are that live just then. So it need not
//! lie behind the arena, only above those tensors, and shares the rest with tensors of other times.
//! How large it is depends on the number of threads, and is known at run time.

use ir::{Function, ValueId};
use sym::Expr;

use crate::{
    lives::Lives,
    proofs::Proofs,
    report::{ArenaUse, Place},
};

/// The first arena of a planned function, where workspaces lie if it is made before any kernel runs.
pub(crate) struct Workspaces<'a> {
    proofs: Proofs<'a>,
    arena: ArenaUse,
    /// Where each of its tensors ends.
    ends: Vec<Expr>,
    /// The number of each outermost statement.
    starts: Vec<usize>,
}

impl<'a> Workspaces<'a> {
    pub(crate) fn of(function: &'a Function) -> Option<Workspaces<'a>> {
        wrapper::early_arena(function)?;
        let arena = ArenaUse::all(function).into_iter().next()?;
        let end = |it: &Place| it.offset.clone() + it.size.clone();
        Some(Workspaces {
            proofs: Proofs::of(function),
            ends: arena.places.iter().map(|it| sym::simplify(&end(it), &function.facts)).collect(),
            arena,
            starts: Lives::of(function).starts,
        })
    }

    /// What is in use at the outermost statement `at`, and where it ends.
    fn live(&self, at: usize) -> Vec<(ValueId, Expr)> {
        let number = self.starts.get(at).copied().unwrap_or(self.arena.end);
        let places = self.arena.places.iter().zip(&self.ends);
        places
            .filter(|it| it.0.life.0 <= number && number < it.0.life.1)
            .map(|it| (it.0.value, it.1.clone()))
            .collect()
    }

    /// Where the workspace of a call at the outermost statement `at` begins if each tensor has a
    /// guard of so many bytes behind it.
    pub(crate) fn start(&mut self, at: usize, guard: &Expr) -> Expr {
        let mut highest: Vec<Expr> = Vec::new();
        for (_, end) in self.live(at) {
            if !highest.iter().any(|it| self.proofs.at_most(&end, it)) {
                highest.retain(|it| !self.proofs.at_most(it, &end));
                highest.push(end);
            }
        }
        match &highest[..] {
            [] => Expr::int(0),
            [one] => one.clone() + guard.clone(),
            // Which is the highest depends on the sizes.
            _ => self.arena.size.clone(),
        }
    }

    /// What is wrong with a workspace that begins there while the statement `at` runs.
    pub(crate) fn fault(&mut self, at: usize, start: &Expr) -> Option<String> {
        if !self.proofs.at_most(&Expr::int(0), start)
            || !self.proofs.at_most(start, &self.arena.size)
        {
            return Some("the workspace is not proven to begin inside the arena".to_owned());
        }
        let live = self.live(at);
        let below = live.iter().find(|it| !self.proofs.at_most(&it.1, start))?;
        Some(format!("{} is in use while the kernel works, and may overlap its workspace", below.0))
    }
}
