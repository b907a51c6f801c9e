//! Memory in which kernels work: behind the arena and in it, where the plan says, or a block.

use ir::{Function, View as OpView};
use sym::Expr;
use wrapper::Call;

use super::{Printer, early_arena};
use crate::structured;

impl<'a> Printer<'a, '_> {
    /// What workspaces need behind the arena, at most, if there are any.
    pub(super) fn workspace(&mut self) {
        let Some(arena) = early_arena(self.main) else { return };
        // For each need and what of it lies in the arena, in the kernels' order.
        let mut needs: Vec<(String, Expr)> = Vec::new();
        for (call, kernel) in self.called_kernels() {
            let need = structured::workspace(kernel, &|it| it.to_owned());
            if let Some((start, need)) = call.workspace().zip(need) {
                let room = arena.clone() - start;
                match needs.iter_mut().find(|it| it.0 == need) {
                    Some((_, least)) => *least = Expr::min(least, &room),
                    None => needs.push((need, room)),
                }
            }
        }
        if needs.is_empty() {
            return;
        }
        self.has_workspace = true;
        self.code.line("int64_t workspace_bytes = 0;");
        for (need, room) in needs {
            let rest = match room.as_int() {
                Some(0) => String::new(),
                _ => format!(" - ({})", self.size(&room)),
            };
            self.code.open("{");
            self.code.line(format!("const int64_t need = {need}{rest};"));
            self.code.line("if (workspace_bytes < need) workspace_bytes = need;");
            self.code.close("}");
        }
    }

    /// The calls of this function and what they call, by the names of the kernels.
    fn called_kernels(&self) -> Vec<(Call<'a>, &'a Function)> {
        let called = self.main.body.ops().iter().filter_map(|op| {
            let call = Call::of(OpView::of(&self.main.body, &self.main.facts, op))?;
            let name = call.kernel().0;
            Some((call, self.kernels.iter().copied().find(|it| it.name == name)?))
        });
        let mut res: Vec<(Call<'_>, &Function)> = called.collect();
        res.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        res
    }

    /// The statement that calls a kernel with these arguments, and with memory to work in.
    pub(super) fn call_with_workspace(&mut self, it: Call<'_>, kernel: &Function, args: &str) {
        let name = it.kernel().0;
        let need = structured::workspace(kernel, &|it| it.to_owned());
        match (need, it.workspace()) {
            (None, _) => self.code.line(format!("{name}({args}, nullptr);")),
            (_, Some(start)) => {
                let start = self.size(&start);
                self.code.line(format!("{name}({args}, arena + ({start}));"));
            }
            (Some(need), None) => {
                self.code.open("{");
                self.code.line(format!("void* const workspace = tt_alloc(run, {need});"));
                self.code.line(format!("{name}({args}, workspace);"));
                self.code.line("tt_free(run, workspace);");
                self.code.close("}");
            }
        }
    }
}
