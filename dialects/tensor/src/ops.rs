//! The table of operators that are not element by element.

use ir::{Alias, Effects};

use crate::{eval, infer};

ir::dialect! { tensor;
    /// A tensor filled with one number.
    ///
    /// ```ir
    /// %0 = tensor.full {value = 1.0, shape = [s0, 4], dtype = !f32} : f32[s0, 4]
    /// ```
    op Full = "full" () { value: Number, shape: Sizes, dtype: DType } {
        infer: infer::full, effects: Effects::Pure, eval: Some(eval::create::full),
    }

    /// A small tensor of given numbers in row-major order.
    /// C1: as many values as elements.
    ///
    /// ```ir
    /// %0 = tensor.literal {values = [1, 2, 3], shape = [3], dtype = !i64} : i64[3]
    /// ```
    op Literal = "literal" () { values: Numbers, shape: Ints, dtype: DType } {
        infer: infer::literal, effects: Effects::Pure, eval: Some(eval::create::literal),
    }

    /// The index along `dim`: `start + index * step`.
    ///
    /// ```ir
    /// %0 = tensor.iota {shape = [2, s0], dim = 1, start = 0, step = 1, dtype = !i64} : i64[2, s0]
    /// ```
    op Iota = "iota" () { shape: Sizes, dim: Int, start: Number, step: Number, dtype: DType } {
        infer: infer::iota, effects: Effects::Pure, eval: Some(eval::create::iota),
    }

    /// A size as a tensor without dimensions.
    ///
    /// ```ir
    /// %0 = tensor.size {value = 2*s0, dtype = !i64} : i64[]
    /// ```
    op Size = "size" () { value: Size, dtype: DType } {
        infer: infer::size, effects: Effects::Pure, eval: Some(eval::create::size),
    }

    /// Stops the run with `message` unless `cond` is not zero.
    ///
    /// ```ir
    /// tensor.assert {cond = s0, message = "there is something"}
    /// ```
    op Assert = "assert" () { cond: Size, message: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::create::assert),
    }

    /// Each element converted, as eager converts.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0]
    /// %1 = tensor.cast %0 {dtype = !i64} : i64[s0]
    /// ```
    op Cast = "cast" ([x]) { dtype: DType } {
        infer: infer::cast, effects: Effects::Pure, fold: infer::fold_cast, eval: Some(eval::create::cast),
    }

    /// The same bytes read as another dtype of the same width, or with the last dimension
    /// scaled by the ratio of widths.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]
    /// %1 = tensor.bitcast %0 {dtype = !i32} : i32[4]
    /// ```
    op Bitcast = "bitcast" ([x]) { dtype: DType } {
        infer: infer::bitcast, effects: Effects::Pure, eval: Some(eval::create::bitcast),
    }

    /// Repeats dimensions of size 1 and adds dimensions in front.
    /// C1: each size of the operand is 1 or the one asked for.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4, 1]
    /// %1 = tensor.expand %0 {shape = [s0, 4, 8]} : f32[s0, 4, 8]
    /// ```
    op Expand = "expand" ([x]) { shape: Sizes } {
        infer: infer::expand, effects: Effects::Pure, alias: Alias::ViewOf(0), fold: infer::fold_same_type,
        eval: Some(eval::movement::expand),
    }

    /// Reorders dimensions: dimension `i` of the result is `order[i]` of the operand.
    /// C1: `order` is a permutation of the operand's dimensions.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 4]
    /// %1 = tensor.permute %0 {order = [1, 0]} : f32[4, s0]
    /// ```
    op Permute = "permute" ([x]) { order: Ints } {
        infer: infer::permute, effects: Effects::Pure, alias: Alias::ViewOf(0), fold: infer::fold_permute,
        eval: Some(eval::movement::permute),
    }

    /// The same elements in row-major order under another shape.
    /// C1: as many elements.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 4]
    /// %1 = tensor.reshape %0 {shape = [2*s0, 2]} : f32[2*s0, 2]
    /// ```
    op Reshape = "reshape" ([x]) { shape: Sizes } {
        infer: infer::reshape, effects: Effects::Pure, alias: Alias::ViewOf(0), fold: infer::fold_same_type,
        eval: Some(eval::movement::reshape),
    }

    /// Every `step`-th element from `start`: dimension `i` has `size[i]` of them.
    /// C1: steps are positive. C2: what is taken lies within the operand, as far as is known.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = tensor.slice %0 {start = [0, 2], size = [s0, 3], step = [1, 2]} : f32[s0, 3]
    /// ```
    op Slice = "slice" ([x]) { start: Sizes, size: Sizes, step: Ints } {
        infer: infer::slice, effects: Effects::Pure, alias: Alias::ViewOf(0), fold: infer::fold_slice,
        eval: Some(eval::movement::slice),
    }

    /// Reverses the given dimensions.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = tensor.flip %0 {dims = [1]} : f32[s0, 8]
    /// ```
    op Flip = "flip" ([x]) { dims: Ints } {
        infer: infer::flip, effects: Effects::Pure, eval: Some(eval::movement::flip),
    }

    /// Adds `low` elements before, `high` after and `interior` between those of each dimension,
    /// all equal to `value`. A negative `low` or `high` removes.
    /// C1: `interior` is not negative.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0]
    /// %1 = tensor.pad %0 {low = [1], high = [2], interior = [1], value = 0.0} : f32[2*s0 + 2]
    /// ```
    op Pad = "pad" ([x]) { low: Sizes, high: Sizes, interior: Ints, value: Number } {
        infer: infer::pad, effects: Effects::Pure, eval: Some(eval::movement::pad),
    }

    /// The operands one after the other along `dim`.
    /// C1: they agree in dtype and in every other dimension.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 4]
    /// %1 = param user "y" : f32[s0, 2]
    /// %2 = tensor.concat [%0, %1] {dim = 1} : f32[s0, 6]
    /// ```
    op Concat = "concat" (many [xs]) { dim: Int } {
        infer: infer::concat, effects: Effects::Pure, eval: Some(eval::movement::concat),
    }

    /// `x` with the slice from `start`, every `step`-th element, replaced by `update`.
    /// C1: `update` has the dtype of `x`, and its sizes are those of the slice.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = param user "u" : f32[s0, 3]
    /// %2 = tensor.slice_update %0, %1 {start = [0, 2], step = [1, 2]} : f32[s0, 8]
    /// ```
    op SliceUpdate = "slice_update" ([x], [update]) { start: Sizes, step: Ints } {
        infer: infer::slice_update, effects: Effects::Pure, eval: Some(eval::movement::slice_update),
    }

    /// Combines all elements along `dims`, which the result lacks. `kind` is `sum`, `prod`, `max`,
    /// `min`, `any` or `all`; of nothing it is the identity (for `max` and `min` the least and
    /// greatest value of the dtype). Half types accumulate in float32.
    /// C1: dims are distinct and exist. C2: `any` and `all` are of bools.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = tensor.reduce %0 {kind = "sum", dims = [1]} : f32[s0]
    /// ```
    op Reduce = "reduce" ([x]) { kind: Str, dims: Ints } {
        infer: infer::reduce, effects: Effects::Pure, eval: Some(eval::reduce::reduce),
    }

    /// The index along `dim` of the greatest (`kind = "max"`) or least (`"min"`) element; the first
    /// of equals; NaN counts as both.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = tensor.arg_reduce %0 {kind = "max", dim = 1} : i64[s0]
    /// ```
    op ArgReduce = "arg_reduce" ([x]) { kind: Str, dim: Int } {
        infer: infer::arg_reduce, effects: Effects::Pure, eval: Some(eval::reduce::arg_reduce),
    }

    /// Combines all elements up to each along `dim`: `kind` is `sum`, `prod`, `max` or `min`.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]
    /// %1 = tensor.scan %0 {kind = "sum", dim = 1} : f32[s0, 8]
    /// ```
    op Scan = "scan" ([x]) { kind: Str, dim: Int } {
        infer: infer::scan, effects: Effects::Pure, eval: Some(eval::reduce::scan),
    }

    /// Combines the elements of a window that moves over the last `window` dimensions:
    /// `kind` is `sum` or `max`; what lies in the padding is the identity.
    /// C1: window, stride, low, high and dilation have one entry per windowed dimension.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[1, 3, 8, 8]
    /// %1 = tensor.reduce_window %0 {kind = "max", window = [2, 2], stride = [2, 2], low = [0, 0], high = [0, 0], dilation = [1, 1]} : f32[1, 3, 4, 4]
    /// ```
    op ReduceWindow = "reduce_window" ([x])
        { kind: Str, window: Sizes, stride: Ints, low: Sizes, high: Sizes, dilation: Ints } {
        infer: infer::reduce_window, effects: Effects::Pure, eval: Some(eval::reduce::reduce_window),
    }

    /// The position of the greatest element of each window, as a row-major index over the windowed
    /// dimensions of the operand; otherwise as `reduce_window`. The first of equals, the last NaN if
    /// there is one, and 0 where a window sees nothing but padding.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[1, 3, 8, 8]
    /// %1 = tensor.arg_window %0 {window = [2, 2], stride = [2, 2], low = [0, 0], high = [0, 0], dilation = [1, 1]} : i64[1, 3, 4, 4]
    /// ```
    op ArgWindow = "arg_window" ([x])
        { window: Sizes, stride: Ints, low: Sizes, high: Sizes, dilation: Ints } {
        infer: infer::arg_window, effects: Effects::Pure, eval: Some(eval::reduce::arg_window),
    }

    /// Sums of products. Dimensions of `lhs` and `rhs` are paired as batch or as contracted; the
    /// result has the batch dimensions, the others of `lhs`, the others of `rhs`, in order.
    /// Half types accumulate in float32.
    /// C1: dtypes are equal. C2: paired sizes are equal.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 4]
    /// %1 = param user "w" : f32[8, 4]
    /// %2 = tensor.contract %0, %1 {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [1]} : f32[s0, 8]
    /// ```
    op Contract = "contract" ([lhs], [rhs])
        { lhs_batch: Ints, rhs_batch: Ints, lhs_contract: Ints, rhs_contract: Ints } {
        infer: infer::contract, effects: Effects::Pure, eval: Some(eval::contract::contract),
    }

    /// Cross-correlation of `x` `[n, c, spatial…]` with `w` `[o, c/groups, spatial…]`, as neural
    /// networks call convolution. Half types accumulate in float32.
    /// C1: one to three spatial dimensions. C2: `groups` divides both channel counts.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[1, 3, 8, 8]
    /// %1 = param user "w" : f32[4, 3, 3, 3]
    /// %2 = tensor.conv %0, %1 {stride = [1, 1], low = [1, 1], high = [1, 1], dilation = [1, 1], groups = 1} : f32[1, 4, 8, 8]
    /// ```
    op Conv = "conv" ([x], [w])
        { stride: Ints, low: Sizes, high: Sizes, dilation: Ints, groups: Int } {
        infer: infer::conv, effects: Effects::Pure, eval: Some(eval::contract::conv),
    }

    /// `softmax(scale * q kᵀ + mask) v` over `[batch, heads, length, width]`.
    /// A float mask is added, a bool mask keeps where true; it broadcasts. `causal` keeps positions
    /// up to the query's own. Heads of `q` share those of `k` and `v` in groups. A query that may
    /// attend to nothing gives zeros.
    /// C1: widths of `q` and `k`, lengths of `k` and `v`, and batches agree.
    ///
    /// ```ir
    /// %0 = param user "q" : f32[1, 4, s0, 16]
    /// %1 = tensor.attention %0, %0, %0, _ {scale = 0.25, causal = true} : f32[1, 4, s0, 16]
    /// ```
    op Attention = "attention" ([q], [k], [v], opt [mask]) { scale: Float, causal: Bool } {
        infer: infer::attention, effects: Effects::Pure, eval: Some(eval::contract::attention),
    }

    /// Elements at computed places: `indices[i]` indexes dimension `dims[i]`; the indices have one
    /// shape, which the result has in place of the indexed dimensions, at `at`.
    /// Negative indices count from the end; one out of range is an error.
    /// C1: as many indices as dims, of one integer dtype and shape.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[10, 4]
    /// %1 = param user "i" : i64[s0]
    /// %2 = tensor.index %0, [%1] {dims = [0], at = 0} : f32[s0, 4]
    /// ```
    op Index = "index" ([x], many [indices]) { dims: Ints, at: Int } {
        infer: infer::index, effects: Effects::Pure, may_trap: true, eval: Some(eval::index::index),
    }

    /// `x` with elements at computed places replaced: `mode` is `set`, `add`, `mul`, `max` or `min`.
    /// `values` has the shape that `index` with the same arguments would give. Of equal places the
    /// last in row-major order stays with `set`; the others combine in that order and are rounded
    /// once, at the end.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[10, 4]
    /// %1 = param user "i" : i64[s0]
    /// %2 = param user "v" : f32[s0, 4]
    /// %3 = tensor.index_update %0, [%1], %2 {dims = [0], at = 0, mode = "add"} : f32[10, 4]
    /// ```
    op IndexUpdate = "index_update" ([x], many [indices], [values]) { dims: Ints, at: Int, mode: Str } {
        infer: infer::index_update, effects: Effects::Pure, may_trap: true,
        eval: Some(eval::index::index_update),
    }

    /// `out[…, j, …] = x[…, index[…, j, …], …]` along `dim`; `index` may be smaller than `x` elsewhere.
    /// An index that is negative or out of range is an error.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[3, 4]
    /// %1 = param user "i" : i64[3, 2]
    /// %2 = tensor.gather %0, %1 {dim = 1} : f32[3, 2]
    /// ```
    op Gather = "gather" ([x], [index]) { dim: Int } {
        infer: infer::gather, effects: Effects::Pure, may_trap: true, eval: Some(eval::index::gather),
    }

    /// `x` with `x[…, index[…, j, …], …]` replaced by `values[…, j, …]` along `dim`; modes as in
    /// `index_update`. `index` may be smaller than `x` and `values`; one that is negative or out of
    /// range is an error.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[3, 4]
    /// %1 = param user "i" : i64[3, 2]
    /// %2 = param user "v" : f32[3, 2]
    /// %3 = tensor.scatter %0, %1, %2 {dim = 1, mode = "set"} : f32[3, 4]
    /// ```
    op Scatter = "scatter" ([x], [index], [values]) { dim: Int, mode: Str } {
        infer: infer::scatter, effects: Effects::Pure, may_trap: true, eval: Some(eval::index::scatter),
    }

    /// Sorts along `dim`, stably; gives values and their indices. NaN is greater than all.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[3, 4]
    /// %1, %2 = tensor.sort %0 {dim = 1, descending = false} : f32[3, 4], i64[3, 4]
    /// ```
    op Sort = "sort" ([x]) { dim: Int, descending: Bool } {
        infer: infer::sort, effects: Effects::Pure, eval: Some(eval::index::sort),
    }

    /// The places of the elements that are not zero, one per row, in row-major order; and how many
    /// there are. Rows past that number hold anything.
    ///
    /// ```ir
    /// %0 = param user "x" : bool[3, s0]
    /// %1, %2 = tensor.nonzero %0 : i64[3*s0, 2], i64[]
    /// ```
    op Nonzero = "nonzero" ([x]) {} {
        infer: infer::nonzero, effects: Effects::Pure, eval: Some(eval::index::nonzero),
    }

    /// Factors of a batch of matrices, or solutions with them: `kind` is `lu`, `cholesky`, `qr`,
    /// `reflect`, `solve_lower`, `solve_upper`, `eigh`, `svd` or `greedy`, as [`ir::linalg::Factor`] says.
    /// If `checked`, a matrix that has no inverse (`lu`) or is not positive definite (`cholesky`)
    /// is an error.
    /// C1: dtypes are float32 or float64. C2: matrices have the shapes that the kind asks for.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[2, 3, 3]
    /// %1, %2, %3 = tensor.linalg [%0] {kind = "lu", checked = true} : f32[2, 3, 3], i32[2, 3], i32[2]
    /// ```
    op Linalg = "linalg" (many [xs]) { kind: Str, checked: Bool } {
        infer: infer::linalg, effects: Effects::Pure, may_trap: true, eval: Some(eval::linalg),
    }

    /// The elements at `offset + Σ index·stride` of the operand's row-major elements.
    /// C1: strides are not negative, and what is taken lies within the operand, as far as is known.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[16]
    /// %1 = tensor.strided %0 {shape = [2, 3], strides = [4, 1], offset = 1} : f32[2, 3]
    /// ```
    op Strided = "strided" ([x]) { shape: Sizes, strides: Sizes, offset: Size } {
        infer: infer::strided, effects: Effects::Pure, eval: Some(eval::movement::strided),
    }

    /// A complex tensor from its parts.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]
    /// %1 = tensor.complex %0, %0 : c64[4]
    /// ```
    op Complex = "complex" ([re], [im]) {} {
        infer: infer::complex, effects: Effects::Pure, eval: Some(eval::create::complex),
    }

    /// The real part.
    ///
    /// ```ir
    /// %0 = param user "x" : c64[4]
    /// %1 = tensor.real %0 : f32[4]
    /// ```
    op Real = "real" ([x]) {} {
        infer: infer::part, effects: Effects::Pure, eval: Some(eval::create::real),
    }

    /// The imaginary part.
    ///
    /// ```ir
    /// %0 = param user "x" : c64[4]
    /// %1 = tensor.imag %0 : f32[4]
    /// ```
    op Imag = "imag" ([x]) {} {
        infer: infer::part, effects: Effects::Pure, eval: Some(eval::create::imag),
    }
}
