//! Operators that have no ATen schema: control flow, symbols that data defines, assertions, and
//! results that are no tensors.

use ir::{Diag, Effects, Result, ResultCount, Type, View, dialect};

fn stated(view: View<'_>) -> Result<Vec<Type>> {
    Err(Diag::error(
        &diag::codes::OP,
        format!("{}: result types of aten are stated", view.op.def.0.name),
    ))
}

fn nothing(_: View<'_>) -> Result<Vec<Type>> {
    Ok(Vec::new())
}

fn none(_: View<'_>) -> Result<Vec<Type>> {
    Ok(vec![Type::None])
}

dialect! { aten;
    /// Defines an unbacked symbol as the one element of a tensor, which is an integer or a bool;
    /// or a symbol as an input that is a number.
    ///
    /// ```ir
    /// %0 = param user "n" : i64[]<>
    /// aten.bind_symbol %0 {symbol = "u0"}
    /// ```
    op BindSymbol = "bind_symbol" ([x]) { symbol: Str } {
        infer: nothing, effects: Effects::Writes,
    }

    /// Stops with `message` where the expression is 0.
    ///
    /// ```ir
    /// aten.assert_scalar {cond = s0 - 2, message = "s0 is not 2"}
    /// ```
    op AssertScalar = "assert_scalar" () { cond: Size, message: Str } {
        infer: nothing, effects: Effects::Writes, may_trap: true,
    }

    /// Stops with `message` where the one element of the tensor is 0.
    ///
    /// ```ir
    /// %0 = param user "ok" : bool[]<>
    /// aten.assert_tensor %0 {message = "not ok"}
    /// ```
    op AssertTensor = "assert_tensor" ([x]) { message: Str } {
        infer: nothing, effects: Effects::Writes, may_trap: true,
    }

    /// A result that is absent.
    ///
    /// ```ir
    /// %0 = aten.make_none : none
    /// ```
    op MakeNone = "make_none" () {} { infer: none, effects: Effects::Pure, }

    /// A result that is a Python number, symbolic or not.
    ///
    /// ```ir
    /// %0 = aten.make_number {value = s0 + 1} : i64
    /// ```
    op MakeNumber = "make_number" () { value: Number } {
        infer: stated, effects: Effects::Pure, results: ResultCount::Stated,
    }

    /// A tensor without dimensions that holds a number.
    ///
    /// ```ir
    /// %0 = aten.make_tensor {value = s0 + 1} : i64[]<>
    /// ```
    op MakeTensor = "make_tensor" () { value: Number } {
        infer: stated, effects: Effects::Pure, results: ResultCount::Stated,
    }

    /// One of two functions on the operands. The condition is `pred`, a tensor, or `cond`, an
    /// expression.
    ///
    /// ```ir
    /// %0 = param user "p" : bool[]<>
    /// %1 = param user "x" : f32[4]<1>
    /// %2 = aten.cond %0, [%1] {then = @"true_graph_0", otherwise = @"false_graph_0"} : f32[4]<1>
    /// ```
    op Cond = "cond" (opt [pred], many [operands]) { cond: opt Size, then: Ref, otherwise: Ref } {
        infer: stated, effects: Effects::Pure, results: ResultCount::Stated,
    }

    /// Runs `body` on the carried values as long as `cond` of them holds; `extra` are passed along.
    ///
    /// ```ir
    /// %0 = param user "i" : i64[]<>
    /// %1 = aten.while_loop [%0], [] {cond = @"while_loop_cond_graph_0", body = @"while_loop_body_graph_0"} : i64[]<>
    /// ```
    op WhileLoop = "while_loop" (many [carried], many [extra]) { cond: Ref, body: Ref } {
        infer: stated, effects: Effects::Pure, results: ResultCount::Stated,
    }

    /// A higher-order operator on functions: `kind` is `scan`, `map` or `call`.
    ///
    /// ```ir
    /// %0 = param user "x" : f32[4]<1>
    /// %1 = aten.subgraph [%0], [], [] {kind = "call", body = @"subgraph_0"} : f32[4]<1>
    /// ```
    op Subgraph = "subgraph" (many [init], many [xs], many [extra]) { kind: Str, body: Ref } {
        infer: stated, effects: Effects::Pure, results: ResultCount::Stated,
    }
}

#[cfg(test)]
mod tests {
    use ir::{parse_function, print_function, verify};

    #[test]
    fn documented_examples_read_and_print() {
        for def in super::OPS.iter().map(|it| it().0) {
            let (_, rest) = def.doc.split_once("```ir\n").unwrap();
            let (text, _) = rest.split_once("```").unwrap();
            let lines = text.lines().map(|it| format!("  {}\n", it.trim()));
            let body: String = lines.filter(|it| it.trim() != "").collect();
            assert!(body.contains(def.name), "{} is not in its own example", def.name);
            let whole = format!("func @f {{\n  symbol s0 in 1..16\n{body}}}\n");
            let function = parse_function(def.name, &whole, &crate::ops())
                .unwrap_or_else(|it| panic!("{}: {it}\n{whole}", def.name));
            assert_eq!(verify(&function), [], "{whole}");
            assert_eq!(print_function(&function), whole);
        }
    }
}
