//! Control flow, and sizes that only data knows.
//!
//! Bodies are functions of the program, called by name. Their operands and results are dense
//! row-major tensors, and the size symbols of the caller are theirs too.

use ir::{Effects, control};

ir::dialect! { tensor;
    /// One of two functions of the operands: `then` where the condition holds. The condition is the
    /// one element of `pred`, or the expression `cond`.
    /// C1: either `pred` or `cond`.
    ///
    /// ```ir
    /// %0 = param user "p" : bool[]
    /// %1 = param user "x" : f32[4]
    /// %2 = tensor.cond %0, [%1] {then = @"double", otherwise = @"keep", outs = [type(f32[4])]} : f32[4]
    /// ```
    op Cond = "cond" (opt [pred], many [operands])
        { cond: opt Size, then: Ref, otherwise: Ref, outs: Any } {
        infer: control::infer_outs, effects: Effects::Pure, may_trap: true,
        verify: control::verify_cond, eval: Some(control::eval_cond), calls: Some(control::COND),
    }

    /// `body` of the carried values and `extra`, again and again, while `cond` of them holds.
    /// C1: as many results as carried values, of their types.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]
    /// %1 = tensor.while [%0], [] {cond = @"never", body = @"double", outs = [type(f32[4])]} : f32[4]
    /// ```
    op While = "while" (many [carried], many [extra]) { cond: Ref, body: Ref, outs: Any } {
        infer: control::infer_outs, effects: Effects::Pure, may_trap: true,
        verify: control::verify_while, eval: Some(control::eval_while), calls: Some(control::WHILE),
    }

    /// A function of the operands.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]
    /// %1 = tensor.subgraph [%0] {body = @"double", outs = [type(f32[4])]} : f32[4]
    /// ```
    op Subgraph = "subgraph" (many [operands]) { body: Ref, outs: Any } {
        infer: control::infer_outs, effects: Effects::Pure, may_trap: true,
        eval: Some(control::eval_call), calls: Some(control::SUBGRAPH),
    }

    /// `body` of the carried values, the `i`-th parts of `xs` along their first dimension, and
    /// `extra`, for `i` from 0 up to `length`. It gives the next carried values, and then parts of
    /// the other results, which stack along a new first dimension.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]
    /// %1 = param user "xs" : f32[s0, 4]
    /// %2, %3 = tensor.scan_over [%0], [%1], [] {length = s0, body = @"add", outs = [type(f32[4]), type(f32[s0, 4])]} : f32[4], f32[s0, 4]
    /// ```
    op ScanOver = "scan_over" (many [init], many [xs], many [extra])
        { length: Size, body: Ref, outs: Any } {
        infer: control::infer_outs, effects: Effects::Pure, may_trap: true,
        eval: Some(control::eval_scan), calls: Some(control::SCAN),
    }

    /// Defines a size symbol by the one element of an integer tensor. Stops the run if that is
    /// outside the symbol's range.
    /// C1: the tensor holds integers, or floats of at least 32 bits.
    ///
    /// ```ir
    /// %0 = param user "n" : i64[]
    /// tensor.bind_symbol %0 {symbol = "u0"}
    /// ```
    op BindSymbol = "bind_symbol" ([x]) { symbol: Str } {
        infer: control::infer_bind_symbol, effects: Effects::Writes, may_trap: true,
        eval: Some(control::eval_bind_symbol),
    }

    /// A result that is absent: `None` to the caller.
    ///
    /// ```ir
    /// %0 = tensor.absent : none
    /// ```
    op Absent = "absent" () {} {
        infer: control::infer_absent, effects: Effects::Pure, eval: Some(control::eval_absent),
    }

    /// Stops the run with `message` where the one element of the tensor is zero.
    ///
    /// ```ir
    /// %0 = tensor.full {value = true, shape = [], dtype = !bool} : bool[]
    /// tensor.assert_tensor %0 {message = "not ok"}
    /// ```
    op AssertTensor = "assert_tensor" ([x]) { message: Str } {
        infer: control::infer_nothing, effects: Effects::Writes, may_trap: true,
        eval: Some(control::eval_assert_tensor),
    }
}
