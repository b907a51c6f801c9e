//! The table of statements.

use ir::{Alias, Effects};

use crate::{eval, infer};

ir::dialect! { wrapper;
    /// Stops the run unless the input has the dtype, rank and device of its type.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]<8, 1>
    /// wrapper.check_tensor %0
    /// ```
    op CheckTensor = "check_tensor" ([x]) {} {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::check_tensor),
    }

    /// Defines a symbol by a dimension of an input: `dim = factor * symbol + rest`. If `checked`,
    /// stops the run unless the dimension gives a whole number within the symbol's range.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]<8, 1>
    /// wrapper.bind %0 {dim = 0, symbol = "s0", factor = 1, rest = 0, checked = true}
    /// ```
    op Bind = "bind" ([x]) {
        dim: Int, symbol: Str, factor: Int, rest: Size, checked: Bool,
    } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::bind),
    }

    /// Defines a symbol by the one element of an integer tensor. Stops the run if that is outside
    /// the symbol's range.
    ///
    /// ```ir
    /// %0 = param user "n" : i64[]<>
    /// wrapper.bind_item %0 {symbol = "u0"}
    /// ```
    op BindItem = "bind_item" ([x]) { symbol: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::bind_item),
    }

    /// Gives a size a name, so that it is computed once.
    ///
    /// ```ir
    /// wrapper.size {symbol = "size0", value = 64}
    /// ```
    op Size = "size" () { symbol: Str, value: Size } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::size),
    }

    /// Stops the run unless a dimension of an input has this size.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[s0, 8]<8, 1>
    /// wrapper.check_dim %0 {dim = 1, size = 8}
    /// ```
    op CheckDim = "check_dim" ([x]) { dim: Int, size: Size } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::check_dim),
    }

    /// Stops the run unless an input has the strides of its type: one that is written in place
    /// cannot be a copy.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4, 8]<8, 1>
    /// wrapper.check_strides %0
    /// ```
    op CheckStrides = "check_strides" ([x]) {} {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::nothing),
    }

    /// Stops the run with `message` unless `cond` is not zero.
    ///
    /// ```ir
    /// wrapper.assert {cond = 1, message = "sizes agree"}
    /// ```
    op Assert = "assert" () { cond: Size, message: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::assert),
    }

    /// From here on the inputs belong to the run. Comes after the last check.
    op TakeInputs = "take_inputs" () {} {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::nothing),
    }

    /// An input with the strides of the result type: itself if it has them, else a dense copy
    /// that lives as long as the run.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4, 8]<8, 1>
    /// %1 = wrapper.strided_input %0 : f32[4, 8]<8, 1>
    /// ```
    op StridedInput = "strided_input" ([x]) {} {
        infer: infer::same, effects: Effects::Reads, alias: Alias::ViewOf(0),
        eval: Some(eval::same),
    }

    /// The run's arena, of so many bytes.
    ///
    /// ```ir
    /// %0 = wrapper.arena {size = 4096} : arena
    /// ```
    op Arena = "arena" () { size: Size } {
        infer: infer::arena, effects: Effects::Alloc,
        eval: Some(eval::arena),
    }

    /// A tensor in the arena, `offset` bytes from its start.
    ///
    /// ```ir
    /// %0 = wrapper.arena {size = 4096} : arena
    /// %1 = wrapper.slice %0 {ty = type(f32[8]<1>), offset = 64} : f32[8]<1>
    /// ```
    op Slice = "slice" ([arena]) { ty: TypeAttr, offset: Size } {
        infer: infer::typed, effects: Effects::Alloc,
        eval: Some(eval::slice),
    }

    /// Writes a pattern to bytes of the arena that no tensor has.
    ///
    /// ```ir
    /// %0 = wrapper.arena {size = 4096} : arena
    /// wrapper.guard %0 {offset = 64, size = 64}
    /// ```
    op Guard = "guard" ([arena]) { offset: Size, size: Size } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::guard),
    }

    /// Stops the run with `message` where a guard is not as [`Guard`] left it.
    ///
    /// ```ir
    /// %0 = wrapper.arena {size = 4096} : arena
    /// wrapper.guard %0 {offset = 64, size = 64}
    /// wrapper.check_guard %0 {offset = 64, size = 64, message = "a kernel wrote outside"}
    /// ```
    op CheckGuard = "check_guard" ([arena]) { offset: Size, size: Size, message: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::check_guard),
    }

    /// Makes every byte of a tensor all ones, which is a NaN: nobody needs what it holds.
    ///
    /// ```ir
    /// %0 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// wrapper.forget %0
    /// ```
    op Forget = "forget" ([x]) {} {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::forget),
    }

    /// A tensor for intermediate values, not planned yet.
    ///
    /// ```ir
    /// %0 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// ```
    op Alloc = "alloc" () { ty: TypeAttr } {
        infer: infer::typed, effects: Effects::Alloc,
        eval: Some(eval::alloc),
    }

    /// A new tensor that the caller gets as output `index`.
    ///
    /// ```ir
    /// %0 = wrapper.output_alloc {index = 0, ty = type(f32[8]<1>)} : f32[8]<1>
    /// ```
    op OutputAlloc = "output_alloc" () { index: Int, ty: TypeAttr } {
        infer: infer::typed, effects: Effects::Alloc,
        eval: Some(eval::output_alloc),
    }

    /// Another shape, strides and start in the same memory; `offset` is in elements.
    ///
    /// ```ir
    /// %0 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// %1 = wrapper.view %0 {ty = type(f32[4]<2>), offset = 1} : f32[4]<2>
    /// ```
    op View = "view" ([x]) { ty: TypeAttr, offset: Size } {
        infer: infer::typed, effects: Effects::Pure, alias: Alias::ViewOf(0),
        eval: Some(eval::view),
    }

    /// Calls a kernel: its inputs, the tensors it writes, then the symbols it takes.
    /// With `faults` the run stops if the kernel has recorded an error.
    ///
    /// A kernel that works in memory of its own has it from `workspace` on, in bytes from the start
    /// of the function's first arena, which is made so large that it ends there. Without it the
    /// kernel gets a block while it runs.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// %1 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// wrapper.call [%0], [%1] {kernel = @"kernel_0", faults = false}
    /// ```
    op Call = "call" (many [inputs], many [outputs]) {
        kernel: Ref, faults: Bool, workspace: opt Size,
    } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::call),
    }

    /// Hands the caller an input itself as output `index`.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// wrapper.output_input %0 {index = 0}
    /// ```
    op OutputInput = "output_input" ([x]) { index: Int } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::output_input),
    }

    /// Hands the caller nothing as output `index`.
    ///
    /// ```ir
    /// wrapper.output_none {index = 0}
    /// ```
    op OutputNone = "output_none" () { index: Int } {
        infer: infer::nothing, effects: Effects::Writes,
    }

    /// Hands the caller a view of an input as output `index`.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// wrapper.output_view %0 {index = 0, ty = type(f32[4]<1>), offset = 4}
    /// ```
    op OutputView = "output_view" ([x]) { index: Int, ty: TypeAttr, offset: Size } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::output_view),
    }

    /// Hands the caller output `other` once more, as output `index`.
    ///
    /// ```ir
    /// wrapper.output_same {index = 1, other = 0}
    /// ```
    op OutputSame = "output_same" () { index: Int, other: Int } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::output_same),
    }

    /// Hands the caller a view of output `other`, which was handed over before, as output `index`.
    ///
    /// ```ir
    /// wrapper.output_alias {index = 1, other = 0, ty = type(f32[4, 2]<1, 4>), offset = 0}
    /// ```
    op OutputAlias = "output_alias" () { index: Int, other: Int, ty: TypeAttr, offset: Size } {
        infer: infer::nothing, effects: Effects::Writes,
        eval: Some(eval::output_alias),
    }

    /// Stops the run with `message` where the one element of a tensor is zero.
    ///
    /// ```ir
    /// %0 = param user "x" : bool[]<>
    /// wrapper.assert_item %0 {message = "not ok"}
    /// ```
    op AssertItem = "assert_item" ([x]) { message: Str } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(ir::control::eval_assert_tensor),
    }

    /// In a body of control flow, the dense tensor that whoever calls it gives for result `index`.
    ///
    /// ```ir
    /// %0 = wrapper.result {index = 0, ty = type(f32[8]<1>)} : f32[8]<1>
    /// ```
    op Result = "result" () { index: Int, ty: TypeAttr } {
        infer: infer::typed, effects: Effects::Alloc,
        eval: Some(eval::result),
    }

    /// Calls one of two functions, which writes `results`: `then` where `pred`, one element, or
    /// `cond`, an expression, is not zero.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// %1 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// wrapper.cond _, [%0], [%1] {cond = 1, then = @"a", otherwise = @"b"}
    /// ```
    op Cond = "cond" (opt [pred], many [operands], many [results])
        { cond: opt Size, then: Ref, otherwise: Ref } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::cond), calls: Some(ir::control::COND),
    }

    /// Calls `body` again and again while `cond`, called on the carried tensors before, writes what
    /// is not zero to `holds`. The carried tensors are `init` at first, and after each turn `results`
    /// or `others`, one after the other; at the end `results` hold them.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// %1 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// %2 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// %3 = wrapper.alloc {ty = type(bool[]<>)} : bool[]<>
    /// wrapper.while [%0], [], %3, [%1], [%2] {cond = @"a", body = @"b"}
    /// ```
    op While = "while" (many [init], many [extra], [holds], many [others], many [results])
        { cond: Ref, body: Ref } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::while_loop),
        calls: Some(ir::Calls { given: &["init", "extra"], ..ir::control::WHILE }),
    }

    /// Calls a function, which writes `results`.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[8]<1>
    /// %1 = wrapper.alloc {ty = type(f32[8]<1>)} : f32[8]<1>
    /// wrapper.subgraph [%0], [%1] {body = @"a"}
    /// ```
    op Subgraph = "subgraph" (many [operands], many [results]) { body: Ref } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::subgraph), calls: Some(ir::control::SUBGRAPH),
    }

    /// Calls a function `length` times, on the carried tensors, as of `while`, the parts of `xs`
    /// and `extra`. It writes the next carried tensors and the parts of the other results.
    ///
    /// ```ir
    /// %0 = param user "xs" : f32[s0, 8]<8, 1>
    /// %1 = wrapper.alloc {ty = type(f32[s0, 8]<8, 1>)} : f32[s0, 8]<8, 1>
    /// wrapper.scan_over [], [%0], [], [], [%1] {length = s0, body = @"a"}
    /// ```
    op ScanOver = "scan_over" (many [init], many [xs], many [extra], many [others], many [results])
        { length: Size, body: Ref } {
        infer: infer::nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(eval::scan_over), calls: Some(ir::control::SCAN),
    }
}
