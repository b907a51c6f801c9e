//! The statements of `--sanitize-memory`.

use ir::{Op, View as OpView};
use sym::Expr;
use wrapper::{CheckGuard, Forget, Guard};

use super::Printer;
use crate::names;

impl<'a> Printer<'a, '_> {
    /// Whether the statement is one of these, which then is printed.
    pub(super) fn sanitize(&mut self, op: &'a Op) -> bool {
        let view = OpView::of(&self.main.body, &self.main.facts, op);
        if let Some(it) = Guard::of(view) {
            let arena = self.pointers[it.arena().index()].clone();
            let (offset, size) = (self.size(&it.offset()), self.size(&it.size()));
            self.code.line(format!("tt_guard({arena} + ({offset}), {size});"));
        } else if let Some(it) = CheckGuard::of(view) {
            let arena = self.pointers[it.arena().index()].clone();
            let (offset, size) = (self.size(&it.offset()), self.size(&it.size()));
            let message = names::string(&it.message());
            self.code.line(format!("tt_check_guard({arena} + ({offset}), {size}, {message});"));
        } else if let Some(it) = Forget::of(view) {
            let ty = self.tensor(it.x());
            let bytes = self.size(&(ty.span(&self.main.facts) * Expr::int(ty.dtype.size() as i64)));
            let pointer = self.pointers[it.x().index()].clone();
            self.code.line(format!("tt_forget({pointer}, {bytes});"));
        } else {
            return false;
        }
        true
    }
}
