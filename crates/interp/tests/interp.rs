//! The interpreter with a small dialect of its own: it knows no other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of any")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use interp::{bind_sizes, run, run_in, seeded_inputs};
use ir::{
    DType, Effects, EvalCx, EvalError, Function, HostTensor, HostValue, Type, View, scalar::Elem,
};

ir::dialect! { t;
    /// Twice its operand.
    op Twice = "twice" ([x]) {} {
        infer: same, effects: Effects::Pure, eval: Some(twice),
    }

    /// What its region yields for each index below `size`, added up.
    op Sum = "sum" () { size: Size, index: Str } {
        infer: |_| Ok(vec![Type::Scalar(DType::I64)]), effects: Effects::Pure, eval: Some(sum),
    }

    /// A size as a scalar.
    op Value = "value" () { size: Size } {
        infer: |_| Ok(vec![Type::Scalar(DType::I64)]), effects: Effects::Pure, eval: Some(value),
    }

    /// The sum of two scalars.
    op Add = "add" ([a], [b]) {} {
        infer: same, effects: Effects::Pure, eval: Some(add),
    }

    /// Adds one to each element of a memory.
    op Bump = "bump" ([x]) {} {
        infer: |_| Ok(Vec::new()), effects: Effects::Writes, eval: Some(bump),
    }

    /// What a function of the program gives.
    op Call = "call" () { callee: Str } {
        infer: |_| Ok(vec![Type::tensor(DType::F32, vec![sym::Expr::int(2)])]),
        effects: Effects::Pure, eval: Some(call),
    }

    /// Claims to be a scalar and is none.
    op Liar = "liar" () {} {
        infer: |_| Ok(vec![Type::tensor(DType::F32, vec![sym::Expr::int(2)])]),
        effects: Effects::Pure, eval: Some(liar),
    }

    /// Cannot be evaluated.
    op Mute = "mute" ([x]) {} { infer: same, effects: Effects::Pure }

    /// May fail.
    op Trap = "trap" ([x]) {} { infer: same, effects: Effects::Pure, may_trap: true }
}

type Eval = Result<Vec<HostValue>, EvalError>;

fn same(view: View<'_>) -> ir::Result<Vec<Type>> {
    Ok(view.op.operands().take(1).map(|it| view.ty(it).clone()).collect())
}

fn scalar(it: i64) -> Eval {
    Ok(vec![HostValue::Scalar(DType::I64, Elem::Int(it.into()))])
}

fn twice(cx: &EvalCx<'_>) -> Eval {
    let x = cx.operands[0].tensor()?;
    let elems = x.to_f32().iter().map(|it| it * 2.0).collect::<Vec<_>>();
    Ok(vec![HostValue::Tensor(HostTensor::from_f32(x.shape, &elems))])
}

fn sum(cx: &EvalCx<'_>) -> Eval {
    let it = Sum(cx.view);
    let mut res = 0;
    for i in 0..(cx.size)(&it.size())? {
        for value in (cx.run)(0, &[], &[(&it.index(), i)])? {
            res += value.scalar()?.to_i64();
        }
    }
    scalar(res)
}

fn value(cx: &EvalCx<'_>) -> Eval {
    scalar((cx.size)(&Value(cx.view).size())?)
}

fn add(cx: &EvalCx<'_>) -> Eval {
    scalar(cx.operands[0].scalar()?.to_i64() + cx.operands[1].scalar()?.to_i64())
}

fn bump(cx: &EvalCx<'_>) -> Eval {
    if let HostValue::Cell(it) = &cx.operands[0] {
        let mut it = it.lock().unwrap();
        let elems: Vec<f32> = it.to_f32().iter().map(|it| it + 1.0).collect();
        *it = HostTensor::from_f32(it.shape.clone(), &elems);
    }
    Ok(Vec::new())
}

fn call(cx: &EvalCx<'_>) -> Eval {
    let callee: String = cx.view.attr("callee");
    (cx.call)(&callee, &[])
}

fn liar(_: &EvalCx<'_>) -> Eval {
    Ok(vec![HostValue::Tensor(HostTensor::from_f32(vec![3], &[0.0; 3]))])
}

fn parse(lines: &str) -> Function {
    let ops: Vec<_> = OPS.iter().map(|it| it()).collect();
    let text = format!("func @f {{\n{lines}\n}}\n");
    ir::parse_function("test", &text, &ops).unwrap_or_else(|it| panic!("{it}"))
}

fn zeros(shape: &[i64]) -> HostValue {
    let count: i64 = shape.iter().product();
    HostValue::Tensor(HostTensor::from_f32(shape.to_vec(), &vec![0.0; count as usize]))
}

fn sizes(given: &[(&str, i64)]) -> BTreeMap<String, i64> {
    given.iter().map(|it| (it.0.to_owned(), it.1)).collect()
}

/// The error of `bind_sizes` for one parameter of that type in a function with `s0` in 2 to 8.
fn refused(ty: &str, arg: HostValue) -> String {
    let function = parse(&format!("symbol s0 in 2..8\n%0 = param user \"x\" : {ty}"));
    bind_sizes(&function, &[arg]).unwrap_err().0
}

#[test]
fn symbols_are_solved_from_shapes() {
    let function = parse(
        "symbol s0 in 0..99
         symbol s1 in 0..99
         symbol s2 in 0..99
         %0 = param user \"x\" : f32[s0*s1 + 2*s2, 3*s1 + 1]
         %1 = param user \"y\" : f32[s0, s0*s1, 5]",
    );
    let args = [zeros(&[16, 10]), zeros(&[4, 12, 5])];
    let found = bind_sizes(&function, &args).unwrap();
    assert_eq!(found, sizes(&[("s0", 4), ("s1", 3), ("s2", 2)]));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    assert_eq!(refused("f32[s0, s0]", zeros(&[4, 3])), "x: size s0 = 3 should be 4");
    assert_eq!(refused("f32[s0, 2*s0]", zeros(&[4, 9])), "x: size 2*s0 = 9 should be 8");
    assert_eq!(refused("f32[2*s0]", zeros(&[7])), "x: size 2*s0 = 7 has no integer solution");
    assert_eq!(refused("f32[s0]", zeros(&[9])), "s0 = 9 is outside 2..8");
    assert_eq!(refused("f32[5]", zeros(&[4])), "x: size 5 = 4 should be 5");
    assert_eq!(
        refused("f32[s0//2]", zeros(&[4])),
        "x: size s0//2 = 4 has a symbol that no shape determines"
    );
    assert_eq!(refused("f32[s0]", zeros(&[4, 4])), "x: f32[s0] was given f32[4, 4]");
    assert_eq!(refused("f64[s0]", zeros(&[4])), "x: f64[s0] was given f32[4]");
    assert_eq!(refused("i64", zeros(&[])), "x: i64 was given f32[]");
    let function = parse("%0 = param user \"x\" : f32[2]");
    assert_eq!(bind_sizes(&function, &[]).unwrap_err().0, "@f takes 1 arguments, was given 0");
}

#[test]
fn a_function_gives_what_its_ops_compute() {
    let function = parse(
        "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0]
         %1 = t.twice %0 : f32[s0]
         %2 = t.twice %1 : f32[s0]
         output user \"y\" %2 : f32[s0]
         output user \"x\" %0 : f32[s0]
         output user \"y\" %2 : f32[s0]",
    );
    let x = HostValue::Tensor(HostTensor::from_f32(vec![2], &[1.0, -3.0]));
    let found = run(&function, &[x], &BTreeMap::new()).unwrap();
    let found: Vec<Vec<f32>> = found.iter().map(|it| it.tensor().unwrap().to_f32()).collect();
    assert_eq!(found, [[4.0, -12.0], [1.0, -3.0], [4.0, -12.0]]);
}

#[test]
fn regions_bind_their_index_and_see_what_is_outside() {
    let function = parse(
        "symbol s0 in 0..9
         %0 = t.value {size = 100} : i64
         %1 = t.sum {size = s0, index = \"i0\"} : i64 {
           %2 = t.sum {size = i0 + 1, index = \"i1\"} : i64 {
             %3 = t.value {size = 10*i0 + i1} : i64
             yield %3
           }
           %4 = t.add %2, %0 : i64
           yield %4
         }
         output user \"y\" %1 : i64",
    );
    // 100 + 0, 100 + 10 + 11, 100 + 20 + 21 + 22.
    let found = run(&function, &[], &sizes(&[("s0", 3)])).unwrap();
    assert_eq!(found[0].scalar(), Ok(Elem::Int(384)));
    let missing = run(&function, &[], &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.0, "t.sum: size s0: the symbol `s0` has no value");
}

#[test]
fn memories_are_written_in_place() {
    let function = parse(
        "%0 = param user \"x\" : f32[2]
         t.bump %0
         t.bump %0
         %1 = t.twice %0 : f32[2]
         output user \"y\" %1 : f32[2]",
    );
    let cell = Arc::new(Mutex::new(HostTensor::from_f32(vec![2], &[1.0, 2.0])));
    let found = run(&function, &[HostValue::Cell(cell.clone())], &BTreeMap::new()).unwrap();
    assert_eq!(found[0].tensor().unwrap().to_f32(), [6.0, 8.0]);
    assert_eq!(cell.lock().unwrap().to_f32(), [3.0, 4.0]);
}

#[test]
fn bodies_read_what_functions_of_the_program_fold() {
    let program = [
        ("body", "%0 = param folded \"k\" : f32[2]\noutput result \"y\" %0 : f32[2]"),
        (
            "body.constants.1",
            "%0 = param folded \"j\" : f32[2]
             %1 = t.twice %0 : f32[2]
             output user \"k\" %1 : f32[2]",
        ),
        (
            "body.constants.0",
            "%0 = param parameter \"w\" : f32[2]
             %1 = t.twice %0 : f32[2]
             output user \"j\" %1 : f32[2]",
        ),
    ];
    let program = program.map(|(name, lines)| Function { name: name.to_owned(), ..parse(lines) });
    let main = parse(
        "%0 = param parameter \"w\" : f32[2]
         %1 = t.call {callee = \"body\"} : f32[2]
         output user \"y\" %1 : f32[2]",
    );
    let w = HostValue::Tensor(HostTensor::from_f32(vec![2], &[1.0, -3.0]));
    let found = run_in(&program, &main, std::slice::from_ref(&w), &BTreeMap::new()).unwrap();
    assert_eq!(found[0].tensor().unwrap().to_f32(), [4.0, -12.0]);
    // Nothing computes it, or it is computed from itself.
    let error =
        run_in(&program[..2], &main, std::slice::from_ref(&w), &BTreeMap::new()).unwrap_err();
    assert!(error.0.ends_with("@body.constants.1: j has no value"), "{}", error.0);
    let mut turning = program;
    turning[2].params[0] = ir::Param { name: "k".to_owned(), kind: ir::ParamKind::Folded };
    let error = run_in(&turning, &main, &[w], &BTreeMap::new()).unwrap_err();
    assert!(error.0.ends_with("is computed from itself"), "{}", error.0);
}

#[test]
fn an_op_without_evaluator_is_named() {
    let function = parse("%0 = param user \"x\" : f32[2]\n%1 = t.mute %0 : f32[2]");
    let error = run(&function, &[zeros(&[2])], &BTreeMap::new()).unwrap_err();
    assert_eq!(error.0, "t.mute: has no evaluator");
}

#[test]
fn a_value_that_is_not_of_the_inferred_type_is_an_error() {
    let function = parse("%0 = t.liar : f32[2]");
    let error = run(&function, &[], &BTreeMap::new()).unwrap_err();
    assert_eq!(error.0, "t.liar: gave f32[3] for %0 : f32[2]");
}

#[test]
fn seeded_inputs_depend_on_the_seed_alone() {
    let function = parse(
        "symbol s0 in 0..9
         %0 = param user \"x\" : f32[s0, 300]
         %1 = param user \"b\" : bool[64]
         %2 = param user \"n\" : i8[64]
         %3 = param user \"s\" : i64",
    );
    let at = |seed: u64| seeded_inputs(&function, seed, &sizes(&[("s0", 2)])).unwrap();
    let text = |it: &[HostValue]| -> Vec<String> {
        it.iter()
            .map(|it| match it {
                HostValue::Tensor(it) => format!("{it:?} {:?}", &it.bytes[..]),
                it => format!("{it:?}"),
            })
            .collect()
    };
    assert_eq!(text(&at(1)), text(&at(1)));
    assert_ne!(text(&at(1)), text(&at(2)));

    let args = at(1);
    let x = args[0].tensor().unwrap();
    assert_eq!(x.shape, [2, 300]);
    let mean = x.to_f32().iter().sum::<f32>() / 600.0;
    assert!(mean.abs() < 0.2 && x.to_f32().iter().any(|it| 1.0 < it.abs()), "{mean}");
    let ints: Vec<i64> = args[2].tensor().unwrap().elems().map(Elem::to_i64).collect();
    assert!(ints.iter().any(|it| *it < 0) && ints.iter().all(|it| (-8..=8).contains(it)));
    let bools: i64 = args[1].tensor().unwrap().elems().map(Elem::to_i64).sum();
    assert!((16..48).contains(&bools));
    assert!(seeded_inputs(&function, 1, &BTreeMap::new()).is_err());
}

#[test]
fn where_an_op_may_trap_integers_are_good_indices() {
    let function = parse("%0 = param user \"x\" : i64[100]\n%1 = t.trap %0 : i64[100]");
    let args = seeded_inputs(&function, 3, &BTreeMap::new()).unwrap();
    assert!(args[0].tensor().unwrap().elems().all(|it| (0..=2).contains(&it.to_i64())));
}
