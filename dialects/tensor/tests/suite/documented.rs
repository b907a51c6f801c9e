//! The example in every operator's documentation is read, verified, printed back and evaluated.

use std::collections::BTreeMap;

use ir::{
    DType, OpDef, parse_function, print_function,
    scalar::{ResultRule, ScalarFn},
    verify,
};

/// The lines of the example, each indented as the printer does.
fn example(def: &OpDef) -> Option<String> {
    let (_, rest) = def.doc.split_once("```ir\n")?;
    let (text, _) = rest.split_once("```")?;
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    Some(lines.map(|it| format!("  {it}\n")).collect())
}

/// What the example of an element-wise operator would be.
fn scalar_example(function: ScalarFn) -> String {
    let dtype = [DType::F32, DType::I32].into_iter().find(|it| function.domain().has(*it)).unwrap();
    let args = match function.rule() {
        ResultRule::Select => vec![DType::Bool, dtype, dtype],
        _ => vec![dtype; function.arity()],
    };
    let mut text = String::new();
    for (i, it) in args.iter().enumerate() {
        text += &format!("  %{i} = param user \"x{i}\" : {it}[s0, 3]\n");
    }
    let (n, result) = (args.len(), function.result(&args).unwrap());
    let operands: Vec<_> = (0..n).map(|it| format!("%{it}")).collect();
    text + &format!(
        "  %{n} = tensor.{} {} : {result}[s0, 3]\n",
        function.name(),
        operands.join(", ")
    )
}

#[test]
fn documented_examples_read_print_and_evaluate() {
    for def in tensor::ops() {
        let def = def.0;
        let text = def.scalar.map(scalar_example).or_else(|| example(def));
        let text = text.unwrap_or_else(|| panic!("{} has no example", def.name));
        assert!(text.contains(def.name), "{} is not in its own example", def.name);
        let whole = format!("func @f {{\n  symbol s0 in 1..16\n{text}}}\n");
        let function = parse_function(def.name, &whole, &tensor::ops())
            .unwrap_or_else(|it| panic!("{}: {it} {:?}\n{whole}", def.name, it.places));
        assert_eq!(verify(&function), [], "{whole}");
        assert_eq!(print_function(&function), whole);

        let function = super::function(&format!("symbol s0 in 1..16\n{text}"));
        for size in [1, 3] {
            let sizes = BTreeMap::from([("s0".to_owned(), size)]);
            let args = interp::seeded_inputs(&function, 7, &sizes).unwrap();
            interp::run_in(&bodies(), &function, &args, &sizes)
                .unwrap_or_else(|it| panic!("{it}\n{whole}"));
        }
    }
}

#[test]
fn element_wise_operators_stand_where_their_function_says() {
    for function in ScalarFn::ALL {
        let def = tensor::pointwise_def(*function);
        assert_eq!(def.0.name, format!("tensor.{}", function.name()));
        assert_eq!(def.0.scalar, Some(*function));
    }
}

/// What the examples of control flow call.
fn bodies() -> Vec<ir::Function> {
    let text = r#"
func @keep {
  %0 = param user "x" : f32[4]
  output result "y" %0 : f32[4]
}

func @double {
  %0 = param user "x" : f32[4]
  %1 = tensor.add %0, %0 : f32[4]
  output result "y" %1 : f32[4]
}

func @never {
  %0 = param user "x" : f32[4]
  %1 = tensor.full {value = false, shape = [], dtype = !bool} : bool[]
  output result "y" %1 : bool[]
}

func @add {
  %0 = param user "c" : f32[4]
  %1 = param user "x" : f32[4]
  output result "c" %1 : f32[4]
  output result "y" %0 : f32[4]
}
"#;
    ir::parse_module("bodies", text, &tensor::ops()).unwrap_or_else(|it| panic!("{it}"))
}
