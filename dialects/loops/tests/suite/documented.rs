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
            interp::run(&function, &args, &sizes).unwrap_or_else(|it| panic!("{it}\n{whole}"));
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
