//! Where a kernel's workspace may begin.
//!
//! A workspace is in use while its kernel runs, as tensors are that live just then. So it need not
//! lie behind the arena, only above those tensors, and shares the rest with tensors of other times.

use ir::{Alias, Function, Type, View as OpView};
use wrapper::{Arena, Slice};

/// Workspaces are aligned like tensors.
const ALIGNMENT: i64 = 64;

/// The end of what is in use at each statement, in bytes from the arena's start.
pub(super) struct Tops {
    tops: Vec<i64>,
    arena: i64,
}

impl Tops {
    /// None where not all is a number, or where bytes between tensors are watched.
    pub(super) fn of(main: &Function) -> Option<Tops> {
        let mut arena = None;
        let mut ends: Vec<i64> = Vec::new();
        let mut uses: Vec<Option<(usize, usize)>> = Vec::new();
        let mut owners: Vec<Vec<usize>> = vec![Vec::new(); main.body.types.len()];
        for (at, op) in main.body.ops().iter().enumerate() {
            let view = OpView::of(&main.body, &main.facts, op);
            if op.def.0.name == "wrapper.guard" || !op.regions.is_empty() {
                return None;
            }
            if let Some(it) = Arena::of(view) {
                if arena.replace(it.size().as_int()?).is_some() {
                    return None;
                }
            } else if let Some(it) = Slice::of(view) {
                owners[op.result().index()] = vec![ends.len()];
                let end = it.offset().as_int()?.checked_add(bytes(main.body.ty(op.result()))?)?;
                ends.push(end);
                uses.push(None);
                continue;
            }
            let given: Vec<usize> =
                op.operands().flat_map(|it| owners[it.index()].iter().copied()).collect();
            for it in &given {
                let (from, _) = uses[*it].unwrap_or((at, at));
                uses[*it] = Some((from, at));
            }
            if op.def.0.alias != Alias::Fresh {
                op.results().for_each(|it| owners[it.index()].clone_from(&given));
            }
        }
        let top = |at: usize| {
            let is_live =
                |it: &Option<(usize, usize)>| it.is_some_and(|it| it.0 <= at && at <= it.1);
            let live = uses.iter().zip(&ends).filter(|it| is_live(it.0));
            live.map(|it| *it.1).max().unwrap_or(0)
        };
        Some(Tops { tops: (0..main.body.ops().len()).map(top).collect(), arena: arena? })
    }

    /// Where a workspace of the statement at that place begins.
    pub(super) fn start(&self, at: usize) -> i64 {
        self.tops.get(at).copied().unwrap_or(self.arena).min(self.arena)
    }

    /// How much of the arena it has.
    pub(super) fn room(&self, at: usize) -> i64 {
        self.arena - self.start(at)
    }
}

/// What a tensor takes, up to the next multiple of the alignment.
fn bytes(ty: &Type) -> Option<i64> {
    let ty = ty.as_tensor()?;
    let bytes = ty.span().as_int()?.checked_mul(ty.dtype.size() as i64)?;
    Some(bytes.checked_add(ALIGNMENT - 1)? / ALIGNMENT * ALIGNMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tops(size: &str, more: &str) -> Option<Tops> {
        let text = format!(
            r#"func @main {{
  symbol s0 in 1..64
  %0 = param user "x" : f32[16]<1>
  %1 = wrapper.arena {{size = {size}}} : arena
  %2 = wrapper.slice %1 {{ty = type(f32[16]<1>), offset = 64}} : f32[16]<1>
  wrapper.call [%0], [%2] {{kernel = @"k", faults = false}}
{more}  %3 = wrapper.view %2 {{ty = type(f32[4]<1>), offset = 0}} : f32[4]<1>
  %4 = wrapper.slice %1 {{ty = type(f32[3]<1>), offset = 0}} : f32[3]<1>
  wrapper.call [%3], [%4] {{kernel = @"k", faults = false}}
  %5 = wrapper.output_alloc {{index = 0, ty = type(f32[3]<1>)}} : f32[3]<1>
  wrapper.call [%4], [%5] {{kernel = @"k", faults = false}}
}}
"#
        );
        let ops = [loops::ops(), wrapper::ops()].concat();
        let functions = ir::parse_module("test", &text, &ops).expect("the text is well formed");
        Tops::of(&functions[0])
    }

    #[test]
    fn a_workspace_lies_above_what_is_in_use() {
        let tops = tops("256", "").unwrap();
        // A view is a use of its base.
        let calls = [2, 5, 7].map(|at| (tops.start(at), tops.room(at)));
        assert_eq!(calls, [(128, 128), (128, 128), (64, 192)]);
    }

    #[test]
    fn without_numbers_or_with_guards_it_lies_behind_the_arena() {
        assert!(tops("64*s0", "").is_none());
        assert!(tops("256", "  wrapper.guard %1 {offset = 0, size = 64}\n").is_none());
    }
}
