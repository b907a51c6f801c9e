//! Faults planted in memory plans: the interpreter, in which tensors are real bytes, shows each as
//! a wrong value, and the checked mode stops a store that misses its tensor.

use std::collections::BTreeMap;

use ir::{DType, Function, HostTensor, HostValue, scalar::Elem};
use pass::{PassCx, Step, Target, Unit};
use testkit::ORACLE;
use wrapper_passes::PASSES;

const FLIP: &str = r#"
func @flip {
  %0 = param user "a0" : f32[16]<1>
  %4 = loops.kernel [%0] {axes = ["i0"], extents = [16], outs = [type(f32[16]<1>)], parallel = 0} : f32[16]<1> {
    ^ %1 : f32[16]<1>, %2 : f32[16]<1>
    %3 = loops.load %1, [], _ {at = [15 - i0]} : f32
    loops.store %2, %3, [], _ {at = [i0], mode = "set"}
  }
  output user "o0" %4 : f32[16]<1>
}
"#;

/// A program that flips `x` into %2, does something, and hands over the flip of `last`.
fn program(something: &str, last: &str) -> Unit {
    let text = format!(
        r#"func @main {{
  %0 = param user "x" : f32[16]<1>
  wrapper.take_inputs
  %1 = wrapper.arena {{size = 256}} : arena
  %2 = wrapper.slice %1 {{ty = type(f32[16]<1>), offset = 64}} : f32[16]<1>
  wrapper.call [%0], [%2] {{kernel = @"flip", faults = false}}
{something}
  %9 = wrapper.output_alloc {{index = 0, ty = type(f32[16]<1>)}} : f32[16]<1>
  wrapper.call [{last}], [%9] {{kernel = @"flip", faults = false}}
}}
{FLIP}"#
    );
    let ops = [loops::ops(), wrapper::ops()].concat();
    let functions = ir::parse_module("test", &text, &ops).expect("the text is well formed");
    Unit { functions }
}

fn run(unit: &Unit) -> Result<Vec<f32>, String> {
    let elems = input().into_iter().map(|it| Elem::Float(f64::from(it)));
    let x = HostValue::Tensor(HostTensor::from_elems(DType::F32, vec![16], elems));
    let main: &Function = unit.main().ok_or("no function")?;
    let results = (ORACLE.run)(&unit.functions, main, &[x], &BTreeMap::new());
    let results = results.map_err(|it| it.0)?;
    let first = results.first().ok_or("no result")?;
    Ok(first.tensor().map_err(|it| it.0)?.to_f32())
}

fn after(name: &str, unit: &Unit) -> Result<Unit, String> {
    let pass = PASSES.iter().find(|it| it.name == name).ok_or("no such pass")?;
    let (target, step) = (Target::default(), Step::new(pass));
    (pass.run)(unit, &PassCx::new(&target, &step)).map_err(|it| format!("{it:?}"))
}

/// Numbers of which every byte counts.
fn input() -> Vec<f32> {
    (1..17).map(|it| it as f32 / 3.0).collect()
}

const OTHER: &str = "  %3 = wrapper.slice %1 {ty = type(f32[16]<1>), offset = OFFSET} : f32[16]<1>
  wrapper.call [%0], [%3] {kernel = @\"flip\", faults = false}";

#[test]
fn a_right_plan_flips_twice() {
    for something in ["".to_owned(), OTHER.replace("OFFSET", "128")] {
        let unit = program(&something, "%2");
        assert_eq!(run(&unit), Ok(input()));
        assert!(after("check-memory", &unit).is_ok());
        assert_eq!(run(&after("sanitize-memory", &program("", "%2")).unwrap()), Ok(input()));
    }
}

#[test]
fn an_overlap_of_one_byte_is_a_wrong_value() {
    // One byte before the end, though not where tensors can lie.
    let unit = program(&OTHER.replace("OFFSET", "127"), "%2");
    assert_ne!(run(&unit), Ok(input()));
    assert!(after("check-memory", &unit).is_err());
}

#[test]
fn a_life_cut_short_is_a_wrong_value() {
    // Written from another tensor than the first, so that what is read later is not the same.
    let other = "  %3 = wrapper.slice %1 {ty = type(f32[16]<1>), offset = 64} : f32[16]<1>
  wrapper.call [%2], [%3] {kernel = @\"flip\", faults = false}";
    let unit = program(other, "%2");
    assert_ne!(run(&unit), Ok(input()));
    assert!(after("check-memory", &unit).is_err());
}

#[test]
fn a_view_that_outlives_its_base_is_a_wrong_value() {
    let other = "  %3 = wrapper.view %2 {ty = type(f32[16]<1>), offset = 0} : f32[16]<1>
  %4 = wrapper.slice %1 {ty = type(f32[16]<1>), offset = 64} : f32[16]<1>
  wrapper.call [%3], [%4] {kernel = @\"flip\", faults = false}";
    let unit = program(other, "%3");
    assert_ne!(run(&unit), Ok(input()));
    assert!(after("check-memory", &unit).is_err());
}

#[test]
fn a_use_after_the_last_is_nan_in_the_checked_mode() {
    let unit = after("sanitize-memory", &program("", "%2")).unwrap();
    let mut text = unit.print();
    // The last call reads what the pass has taken for dead.
    let forget = "  wrapper.forget %2\n";
    let call = text.rfind("  wrapper.call").unwrap();
    text.insert_str(call, forget);
    let ops = [loops::ops(), wrapper::ops()].concat();
    let unit = Unit { functions: ir::parse_module("test", &text, &ops).unwrap() };
    assert!(run(&unit).unwrap().iter().all(|it| it.is_nan()));
}

#[test]
fn a_store_that_misses_its_tensor_stops_the_checked_mode() {
    let other = "  %3 = wrapper.view %2 {ty = type(f32[16]<1>), offset = 1} : f32[16]<1>
  wrapper.call [%0], [%3] {kernel = @\"flip\", faults = false}";
    let unit = program(other, "%2");
    let error = run(&after("sanitize-memory", &unit).unwrap()).unwrap_err();
    assert!(error.contains("wrote outside %2"), "{error}");
}
