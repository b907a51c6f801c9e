//! Epilogues: what is done with each tile of a structured kernel's result.

use ir::{DType, Op, ValueId};

use super::{Lanes, Printer};
use crate::value::Reg;

/// How the elements of a tile run in an epilogue's lanes.
#[derive(Clone, Copy)]
pub(crate) enum TileLanes {
    /// Columns: a result that has its last channel innermost. The tile's columns start at a
    /// multiple of that many.
    Columns { block: i64 },
    /// Rows: a result that has its pixels innermost.
    Rows,
}

impl<'a> Printer<'a, '_> {
    /// The operations of an epilogue over the `rows` x `cols` elements of `tile`; `acc` holds them.
    pub(crate) fn epilogue(&mut self, ops: &'a [Op], acc: ValueId, lanes: TileLanes) {
        let (axis, block, along, across) = match lanes {
            TileLanes::Columns { block } => ("n", block, ["col", "cols", "col0"], ["row", "rows"]),
            TileLanes::Rows => ("m", 1, ["row", "rows", "row0"], ["col", "cols"]),
        };
        let [step, steps, first] = along;
        let [other, others] = across;
        let outer_axis = if axis == "n" { "m" } else { "n" };
        self.code.open(format!("for (int64_t {other} = 0; {other} < {others}; {other}++) {{"));
        self.code
            .line(format!("const int64_t {outer_axis} = {other}0 + {other}; (void){outer_axis};"));
        self.code.open(format!("for (int64_t {step} = 0; {step} < {steps}; {step} += N) {{"));
        self.code.line(format!("const int64_t {axis} = {first} + {step}; (void){axis};"));
        let outer = self.lanes.take();
        for full in [true, false] {
            let head = format!("if ({step} + N <= {steps}) {{");
            self.code.open(if full { &head } else { "else {" });
            self.code.line(format!("const int64_t count = {steps} - {step}; (void)count;"));
            if !full {
                self.code.line(
                    "const auto on = tt::iota<N>(int32_t(0)) < tt::splat<N>(int32_t(count)); (void)on;",
                );
            }
            let count = if full { "N" } else { "count" };
            let load = match lanes {
                TileLanes::Columns { .. } => "tt::load<N>(tile + row * ld + col)".to_owned(),
                TileLanes::Rows => {
                    format!("tt::load_strided<N>(tile + row * ld + col, ld, {count})")
                }
            };
            self.code.line(format!("const tt::vec<float, N> acc = {load};"));
            self.set_reg(acc, Reg { name: "acc".to_owned(), dtype: DType::F32, lanes: true });
            self.lanes = Some(Lanes { axis: axis.to_owned(), full, block });
            self.ops(ops);
            self.code.close("}");
        }
        self.lanes = outer;
        self.code.close("}");
        self.code.close("}");
    }
}
