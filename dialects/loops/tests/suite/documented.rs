//! The example in an operation's documentation is read, verified, printed back and evaluated.

use std::collections::BTreeMap;

use ir::{parse_function, print_function, scalar::ScalarFn, verify};

#[test]
fn documented_examples_read_print_and_evaluate() {
    let mut found = 0;
    for def in loops::ops() {
        let name = def.0.name;
        let Some((text, _)) = def.0.doc.split_once("```ir\n").and_then(|it| it.1.split_once("```"))
        else {
            continue;
        };
        found += 1;
        let text: String = text.lines().map(|it| format!("  {}\n", &it[1..])).collect();
        assert!(text.contains(name), "{name} is not in its own example");
        let whole = format!("func @f {{\n  symbol s0 in 1..16\n{text}}}\n");
        let function = parse_function(name, &whole, &loops::ops())
            .unwrap_or_else(|it| panic!("{name}: {it} {:?}\n{whole}", it.places));
        assert_eq!(verify(&function), [], "{whole}");
        // Texts of people need not number values as the printer does.
        let printed = print_function(&function);
        let again = parse_function(name, &printed, &loops::ops()).unwrap();
        assert_eq!(again, function, "{printed}");

        for size in [1, 3] {
            let sizes = BTreeMap::from([("s0".to_owned(), size)]);
            let args = interp::seeded_inputs(&function, 7, &sizes).unwrap();
            interp::run_in(&bodies(), &function, &args, &sizes)
                .unwrap_or_else(|it| panic!("{it}\n{whole}"));
        }
    }
    assert!(7 <= found, "{found} examples");
}

#[test]
fn every_operation_has_an_evaluator() {
    let without: Vec<_> = loops::ops().into_iter().filter(|it| it.0.eval.is_none()).collect();
    assert_eq!(without, []);
}

#[test]
fn scalar_operations_stand_where_their_function_says() {
    for function in ScalarFn::ALL {
        let def = loops::scalar_def(*function);
        assert_eq!(def.0.name, format!("loops.{}", function.name()));
        assert_eq!(def.0.scalar, Some(*function));
    }
}

/// What the examples of control flow call.
fn bodies() -> Vec<ir::Function> {
    let text = r#"
func @keep {
  %0 = param user "x" : f32[4]<1>
  output result "y" %0 : f32[4]<1>
}

func @double {
  %0 = param user "x" : f32[4]<1>
  %1 = loops.kernel [%0] {axes = ["i0"], extents = [4], outs = [type(f32[4]<1>)], parallel = 0} : f32[4]<1> {
    ^ %2 : f32[4]<1>, %3 : f32[4]<1>
    %4 = loops.load %2, [], _ {at = [i0]} : f32
    %5 = loops.add %4, %4 : f32
    loops.store %3, %5, [], _ {at = [i0], mode = "set"}
  }
  output result "y" %1 : f32[4]<1>
}

func @never {
  %0 = param user "x" : f32[4]<1>
  %1 = loops.kernel [] {axes = [], extents = [], outs = [type(bool[]<>)], parallel = 0} : bool[]<> {
    ^ %2 : bool[]<>
    %3 = loops.const {value = false, dtype = !bool} : bool
    loops.store %2, %3, [], _ {at = [], mode = "set"}
  }
  output result "y" %1 : bool[]<>
}

func @add {
  %0 = param user "c" : f32[4]<1>
  %1 = param user "x" : f32[4]<1>
  output result "c" %1 : f32[4]<1>
  output result "y" %0 : f32[4]<1>
}
"#;
    ir::parse_module("bodies", text, &loops::ops()).unwrap_or_else(|it| panic!("{it}"))
}
