//! What the harness finds wrong with a pass, and with a test.

use diag::Diag;
use ir::{Rewriter, scalar::ScalarFn};
use pass::{PassCx, PassDef, Unit, per_function};
use testkit::{Case, check_examples, check_pass};

type Passed = Result<Unit, Vec<Diag>>;

static SAME: PassDef = PassDef::new("same", "", "", |unit: &Unit, _: &PassCx<'_>| Ok(unit.clone()));
static REFUSES: PassDef = PassDef::new("refuses", "", "", |unit: &Unit, _: &PassCx<'_>| {
    let op = unit.functions.iter().flat_map(|it| it.body.ops()).next();
    let name = op.map_or("", |it| it.def.0.name);
    Err(vec![Diag::error(&diag::codes::UNSUPPORTED, format!("{name} is too hard"))])
});
/// Leaves out every negation, which changes values.
static FORGETS: PassDef =
    PassDef::new("forgets", "", "", |unit: &Unit, _: &PassCx<'_>| -> Passed {
        per_function(unit, |it| {
            let mut rewriter = Rewriter::new(it);
            for op in it.body.ops() {
                match op.def.0.scalar {
                    Some(ScalarFn::Neg) => {
                        let x = op.operands().next().map(|it| rewriter.get(it));
                        x.into_iter().for_each(|it| rewriter.set(op.result(), it));
                    }
                    _ => drop(rewriter.copy(op)?),
                }
            }
            Ok(rewriter.finish())
        })
    });

const NEG: &str = "func @main {
  symbol s0 in 1..8
  %0 = param user \"x\" : f32[s0]
  %1 = tensor.neg %0 : f32[s0]
  output user \"y\" %1 : f32[s0]<1>
}
";

fn check(text: &str, pass: &'static PassDef) -> Result<Option<String>, String> {
    check_pass(&Case::parse("test", text)?, pass, &tensor::ops()).map(|it| it.after)
}

#[test]
fn what_comes_after_is_given() {
    assert_eq!(check(NEG, &SAME), Ok(Some(NEG.to_owned())));
}

#[test]
fn a_pass_that_changes_values_is_found() {
    let wrong = check(NEG, &FORGETS).unwrap_err();
    assert!(wrong.starts_with("the pass changes result 0 of @main: element 0 was "), "{wrong}");
}

#[test]
fn an_absence_is_checked() {
    let wrong = check(&format!("// absent: tensor.neg\n{NEG}"), &SAME).unwrap_err();
    assert!(wrong.starts_with("tensor.neg is in what comes after"), "{wrong}");
}

#[test]
fn errors_are_expected_where_they_are() {
    let hard = format!("// error: tensor.neg is too\n{NEG}");
    assert_eq!(check(&hard, &REFUSES), Ok(None));
    assert!(check(&hard, &SAME).unwrap_err().starts_with("the pass succeeds"));
    let surprise = check(NEG, &REFUSES).unwrap_err();
    assert_eq!(surprise, "error[E0105]: tensor.neg is too hard");

    let parsed =
        NEG.replace("tensor.neg %0 : f32[s0]", "tensor.nag %0 : f32[s0] // error: unknown op");
    assert_eq!(check(&parsed, &SAME), Ok(None));
    let elsewhere = check(
        &format!("// error: unknown op\n{}", parsed.replace(" // error: unknown op", "")),
        &SAME,
    );
    let shown = elsewhere.unwrap_err();
    assert!(shown.contains("line 5: error[E0201]: unknown op `tensor.nag`"), "{shown}");
    assert!(shown.contains("line 1: not found: unknown op"), "{shown}");
}

#[test]
fn the_pass_of_a_reproducer_must_be_the_tested_one() {
    let text = format!("//! passes = forgets, same\n{NEG}");
    assert_eq!(check(&text, &SAME), Err("no pass is called `forgets` here".to_owned()));
    let text = format!("//! passes = same, forgets\n{NEG}");
    assert!(check(&text, &SAME).is_ok());
}

#[test]
fn examples_in_documentation_are_checked() {
    let ops = tensor::ops();
    let (first, rest) = ops.split_at(1);
    assert_eq!(check_examples(first, &ops), Vec::<String>::new());
    let wrong = check_examples(first, rest);
    assert!(wrong[0].starts_with("the example of tensor.full: unknown op"), "{wrong:?}");
}
