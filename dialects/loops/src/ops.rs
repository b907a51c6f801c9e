//! The table of operations that are not functions of single elements.

use ir::{Alias, Effects};

use crate::{eval, infer};

ir::dialect! { loops;
    /// Runs its region at every point of `axes` × `extents`; the region's parameters are the inputs
    /// and then the outputs, whose types `outs` gives. The first `parallel` axes may run on several
    /// threads, if `work`, in elements, is at least [`PARALLEL_WORK`](crate::PARALLEL_WORK) or not
    /// given. With `vector`, that axis runs in lanes. With `in_place`, the only output is the memory
    /// of the input of that index: what is not stored stays as it was.
    /// C1: as many extents as axes. C2: the region's parameters are the inputs and outputs.
    /// C3: an output in place has its input's type.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 4]<4, 1>
    /// %5 = loops.kernel [%0] {axes = ["i0", "i1"], extents = [s0, 4], outs = [type(f32[s0, 4]<4, 1>)], parallel = 0} : f32[s0, 4]<4, 1> {
    ///   ^ %1 : f32[s0, 4]<4, 1>, %2 : f32[s0, 4]<4, 1>
    ///   %3 = loops.load %1, [], _ {at = [i0, i1]} : f32
    ///   %4 = loops.exp %3 : f32
    ///   loops.store %2, %4, [], _ {at = [i0, i1], mode = "set"}
    /// }
    /// ```
    op Kernel = "kernel" (many [inputs])
        {
            axes: Strs, extents: Sizes, outs: Any, parallel: Int, work: opt Size, vector: opt Str,
            in_place: opt Int
        } {
        infer: infer::kernel, effects: Effects::Pure, isolated: true, verify: infer::verify_kernel,
        eval: Some(eval::kernel::kernel),
    }

    /// Runs its region at every point of `axes` × `extents` and combines what it yields, one value
    /// per entry of `kinds`: `sum`, `prod`, `max`, `min`, `any`, `all`, `argmax` or `argmin`.
    /// The last two give the first row-major index of the extremum as `i64`. Of nothing each is its
    /// identity. With `vector`, that axis runs in lanes, each lane with its own partial result.
    /// C1: as many extents as axes, as many kinds as yields.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]<1>
    /// %6 = loops.kernel [%0] {axes = [], extents = [], outs = [type(f32[]<>)], parallel = 0} : f32[]<> {
    ///   ^ %1 : f32[4]<1>, %2 : f32[]<>
    ///   %4 = loops.reduce {axes = ["r0"], extents = [4], kinds = ["sum"]} : f32 {
    ///     %3 = loops.load %1, [], _ {at = [r0]} : f32
    ///     yield %3
    ///   }
    ///   loops.store %2, %4, [], _ {at = [], mode = "set"}
    /// }
    /// ```
    op Reduce = "reduce" () { axes: Strs, extents: Sizes, kinds: Strs, vector: opt Str } {
        infer: infer::reduce, effects: Effects::Pure, verify: infer::verify_reduce,
        eval: Some(eval::kernel::reduce),
    }

    /// Runs its region at every point of `axes` × `extents`, in order.
    /// C1: as many extents as axes.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]<1>
    /// %6 = loops.kernel [%0] {axes = [], extents = [], outs = [type(f32[4]<1>)], parallel = 0} : f32[4]<1> {
    ///   ^ %1 : f32[4]<1>, %2 : f32[4]<1>
    ///   loops.for {axes = ["r0"], extents = [4]} {
    ///     %3 = loops.load %1, [], _ {at = [r0]} : f32
    ///     loops.store %2, %3, [], _ {at = [r0], mode = "set"}
    ///   }
    /// }
    /// ```
    op For = "for" () { axes: Strs, extents: Sizes, vector: opt Str } {
        infer: infer::nothing, effects: Effects::Writes, verify: infer::verify_loop,
        eval: Some(eval::kernel::for_loop),
    }

    /// Runs its region along one axis in order. The region's parameters are the carried values,
    /// at first the operands; it yields the next ones; the last are the results.
    /// C1: the region yields as many values as are carried, of their types.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]<1>
    /// %9 = loops.kernel [%0] {axes = [], extents = [], outs = [type(f32[4]<1>)], parallel = 0} : f32[4]<1> {
    ///   ^ %1 : f32[4]<1>, %2 : f32[4]<1>
    ///   %3 = loops.const {value = 0.0, dtype = !f32} : f32
    ///   %7 = loops.fold [%3] {axis = "r0", extent = 4} : f32 {
    ///     ^ %4 : f32
    ///     %5 = loops.load %1, [], _ {at = [r0]} : f32
    ///     %6 = loops.add %4, %5 : f32
    ///     loops.store %2, %6, [], _ {at = [r0], mode = "set"}
    ///     yield %6
    ///   }
    /// }
    /// ```
    op Fold = "fold" (many [init]) { axis: Str, extent: Size } {
        infer: infer::fold, effects: Effects::Writes, verify: infer::verify_fold,
        eval: Some(eval::kernel::fold),
    }

    /// The element at a place. Where `mask` is false nothing is read and the value is 0.
    /// C1: as many indices as dimensions.
    op Load = "load" ([t], many [dynamic], opt [mask]) { at: Sizes } {
        infer: infer::load, effects: Effects::Reads, eval: Some(eval::kernel::load),
    }

    /// Writes an element. Where `mask` is false nothing is written. `mode` is `set`, or `add`,
    /// `mul`, `max` or `min` to combine with what is there.
    /// C1: as many indices as dimensions. C2: the value has the tensor's dtype.
    op Store = "store" ([t], [value], many [dynamic], opt [mask]) { at: Sizes, mode: Str } {
        infer: infer::store, effects: Effects::Writes, eval: Some(eval::kernel::store),
    }

    /// A number.
    op Const = "const" () { value: Number, dtype: DType } {
        infer: infer::scalar_of_dtype, effects: Effects::Pure, eval: Some(eval::constant),
    }

    /// An index expression as an element.
    op Index = "index" () { value: Size, dtype: DType } {
        infer: infer::scalar_of_dtype, effects: Effects::Pure, eval: Some(eval::index),
    }

    /// Converts as eager converts.
    op Cast = "cast" ([x]) { dtype: DType } {
        infer: infer::scalar_of_dtype, effects: Effects::Pure, fold: infer::fold_cast,
        eval: Some(eval::cast),
    }

    /// The bits read as another dtype of the same width.
    op Bitcast = "bitcast" ([x]) { dtype: DType } {
        infer: infer::bitcast, effects: Effects::Pure, eval: Some(eval::bitcast),
    }

    /// An index into `size` elements: one below zero counts from the end; one out of range stops
    /// the run with an error. Where `mask` is false nothing is checked and the value is 0.
    op Bound = "bound" ([x], opt [mask]) { size: Size } {
        infer: infer::bound, effects: Effects::Pure, may_trap: true, eval: Some(eval::bound),
    }

    /// Stops the run with `message` unless `cond` is not zero.
    ///
    /// ```ir
    /// loops.assert {cond = s0, message = "there is something"}
    /// ```
    op Assert = "assert" () { cond: Size, message: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::assert),
    }

    /// A view of a tensor's memory: `offset` elements from its start, with its own shape and
    /// strides.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[2, 8]<8, 1>
    /// %1 = loops.view %0 {ty = type(f32[4, 2]<2, 8>), offset = 1} : f32[4, 2]<2, 8>
    /// ```
    op View = "view" ([x]) { ty: TypeAttr, offset: Size } {
        infer: infer::view, effects: Effects::Pure, alias: Alias::ViewOf(0),
        eval: Some(eval::memory::view),
    }

    /// Another layout of constant weights for a structured kernel (see `kernels.h`): `gemm_b` of
    /// `[k, n]`, `conv2d` of `[o, c/groups, h, w]`, or `depthwise2d` of `[c, 1, h, w]`.
    ///
    /// ```ir
    /// %0 = param parameter "w" : f32[3, 40]<40, 1>
    /// %1 = loops.pack %0 {kind = "gemm_b", groups = 1} : f32[144]<1>
    /// ```
    op Pack = "pack" ([w]) { kind: Str, groups: Int } {
        infer: infer::pack, effects: Effects::Pure, eval: Some(eval::memory::pack),
    }

    /// Products of matrices: `a` is `[batch, m, k]`, of float32 or of half its width, which is
    /// widened; `b` is `[batch, k, n]`, or packed by `pack`, one for the whole batch, with `n`
    /// given. The epilogue region runs at every `b`, `m`, `n`; its parameters are the sum of products (an f32 scalar), the inputs, and the outputs.
    ///
    /// ```ir
    /// %0 = param user "a" : f32[1, s0, 8]<8*s0, 8, 1>
    /// %1 = param user "b" : f32[1, 8, 4]<32, 4, 1>
    /// %4 = loops.gemm %0, %1, [] {outs = [type(f32[s0, 4]<4, 1>)]} : f32[s0, 4]<4, 1> {
    ///   ^ %2 : f32, %3 : f32[s0, 4]<4, 1>
    ///   loops.store %3, %2, [], _ {at = [m, n], mode = "set"}
    /// }
    /// ```
    op Gemm = "gemm" ([a], [b], many [inputs]) { n: opt Size, outs: Any } {
        infer: infer::gemm, effects: Effects::Pure, isolated: true,
        eval: Some(eval::structured::gemm),
    }

    /// Convolution of `x` `[n, c, h, w]` with packed weights of `oc` channels. The epilogue region
    /// runs at every output pixel `m` (row-major over `[n, oh, ow]`) and channel `n`; its
    /// parameters are as in `gemm`.
    op Conv2d = "conv2d" ([x], [w], many [inputs])
        { oc: Int, kernel: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints, groups: Int,
          outs: Any } {
        infer: infer::conv2d, effects: Effects::Pure, isolated: true,
        eval: Some(eval::structured::conv2d),
    }

    /// `softmax(scale * q kᵀ + mask) v`, as `tensor.attention` says, written with strides `out`.
    op Attention = "attention" ([q], [k], [v], opt [mask])
        { scale: Float, causal: Bool, out: TypeAttr } {
        infer: infer::attention, effects: Effects::Pure, eval: Some(eval::structured::attention),
    }

    /// Factors of a batch of matrices, as `tensor.linalg` says. Operands and results are row-major.
    op Linalg = "linalg" (many [xs]) { kind: Str, checked: Bool, outs: Any } {
        infer: infer::linalg, effects: Effects::Pure, may_trap: true, eval: Some(eval::structured::linalg),
    }

    /// Sorts along `dim`, stably, NaN greatest: values and their indices.
    op Sort = "sort" ([x]) { dim: Int, descending: Bool, outs: Any } {
        infer: infer::sort, effects: Effects::Pure, eval: Some(eval::structured::sort),
    }
}
