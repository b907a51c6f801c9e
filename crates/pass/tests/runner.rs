//! What a run of passes reports, catches, and leaves behind.

use std::collections::BTreeMap;

use diag::{Diag, codes};
use ir::{Function, Result, Rewriter, ValueId, parse_module, scalar::ScalarFn};
use pass::{
    Failure, Legality, Oracle, PassCx, PassDef, Phase, Recorder, Runner, Select, Silent, Step,
    Target, Unit, parse_repro, parse_steps, per_function,
    rules::{Root, Rule, RuleCx, apply_rules},
};
use tensor::{pointwise, pointwise_def};

const TEXT: &str = "func @main {
  symbol s0 in 1..8
  %0 = param user \"x\" : f32[s0]
  %1 = tensor.exp %0 : f32[s0]
  output user \"y\" %1 : f32[s0]<1>
}
";

const PHASE: Phase =
    Phase { name: "tensor", requires: Legality::ANY, ensures: Legality::only(&["tensor"]) };

type Passed = std::result::Result<Unit, Vec<Diag>>;

fn same(unit: &Unit, _: &PassCx<'_>) -> Passed {
    Ok(unit.clone())
}

fn with_functions(unit: &Unit, f: impl Fn(&mut Function)) -> Passed {
    let mut res = unit.clone();
    res.functions.iter_mut().for_each(f);
    Ok(res)
}

/// Applies `function` to each output once more.
fn applied(unit: &Unit, function: ScalarFn) -> Passed {
    per_function(unit, |it| {
        let mut rewriter = Rewriter::new(it);
        for op in it.body.ops() {
            rewriter.copy(op)?;
        }
        let yields = it.body.root.yields.iter().map(|it| rewriter.get(*it)).collect::<Vec<_>>();
        let new = yields.into_iter().map(|it| pointwise(&mut rewriter.new, function, &[it]));
        let new = new.collect::<Result<Vec<_>>>()?;
        Ok(rewriter.finish_with(new))
    })
}

static SAME: PassDef = PassDef::new("same", "", "", same);
static FAILS: PassDef = PassDef::new("fails", "", "", |_, _| {
    Err(vec![Diag::error(&codes::UNSUPPORTED, "cannot\ndo it")])
});
#[expect(clippy::panic, reason = "what the runner has to catch")]
static PANICS: PassDef = PassDef::new("panics", "", "", |_, _| panic!("a bug in {}", "here"));
static BREAKS: PassDef = PassDef::new("breaks", "", "", |unit, _| {
    with_functions(unit, |it| it.body.root.yields = vec![ValueId(7)])
});
static RENAMES: PassDef = PassDef::new("renames", "", "", |unit, _| {
    with_functions(unit, |it| it.name = "other".to_owned())
});
static NEGATES: PassDef = PassDef::new("negates", "", "", |unit, _| applied(unit, ScalarFn::Neg));
static ABS: PassDef = PassDef::new("abs", "", "", |unit, _| applied(unit, ScalarFn::Abs));
static STRICT: PassDef = PassDef {
    ensures: Some(Legality::only(&["tensor"]).deny(&["tensor.exp"])),
    ..PassDef::new("strict", "", "", same)
};

fn unit() -> Unit {
    Unit { functions: parse_module("test", TEXT, &tensor::ops()).expect("the text is right") }
}

fn run(
    passes: &[&'static PassDef],
    verify_each: bool,
    validate: bool,
) -> std::result::Result<Unit, Failure> {
    let oracle = Oracle { inputs: interp::seeded_inputs, run: interp::run_in };
    let evaluate = oracle.lazily(0, BTreeMap::new(), Vec::new());
    let target = Target::of_isa("avx2");
    let runner =
        Runner { target: &target, verify_each, evaluate: validate.then_some(&evaluate as _) };
    let steps: Vec<Step> = passes.iter().map(|it| Step::new(it)).collect();
    runner.run(&PHASE, &steps, &unit(), &mut Silent)
}

fn failure(passes: &[&'static PassDef], verify_each: bool, validate: bool) -> Failure {
    run(passes, verify_each, validate).expect_err("a pass goes wrong")
}

fn messages(failure: &Failure) -> Vec<&str> {
    failure.diags.iter().map(|it| it.message.as_str()).collect()
}

#[test]
fn a_failure_leaves_a_file_that_replays_it() {
    let failure = failure(&[&SAME, &FAILS, &SAME], false, false);
    assert_eq!(messages(&failure), ["cannot\ndo it"]);
    let text = &failure.repro.text;
    let header = "//! tintype reproducer: pass `fails` failed
//! - error[E0105]: cannot
//!   do it
//! phase = tensor
//! passes = fails, same
//! target = name=avx2 isa=avx2 lanes=8 threads=1 l2=1048576
";
    assert_eq!(*text, format!("{header}{TEXT}"));
    assert!(failure.repro.file_name.starts_with("repro-"), "{}", failure.repro.file_name);

    let replay = parse_repro(text).unwrap();
    assert_eq!(replay.phase.as_deref(), Some("tensor"));
    assert_eq!(replay.target, Target::of_isa("avx2"));
    let steps = parse_steps(&replay.passes.unwrap(), &[&SAME, &FAILS]).unwrap();
    let before = Unit { functions: parse_module("repro", text, &tensor::ops()).unwrap() };
    let runner = Runner { target: &replay.target, verify_each: true, evaluate: None };
    let again = runner.run(&PHASE, &steps, &before, &mut Silent).unwrap_err();
    assert_eq!(again, failure);
}

#[test]
fn a_panic_is_an_error_of_its_pass() {
    let failure = failure(&[&PANICS], false, false);
    assert_eq!(messages(&failure), ["pass `panics` panicked: a bug in here"]);
    assert!(failure.repro.text.contains("//! passes = panics\n"));
}

#[test]
fn a_broken_unit_is_found_at_once_or_at_the_end() {
    let wrong = ["in @main: the function gives %7, which is not visible there"];
    let at_once = failure(&[&SAME, &BREAKS, &SAME], true, false);
    assert_eq!(messages(&at_once), wrong);
    assert_eq!(at_once.diags[0].notes, ["after pass `breaks`"]);
    assert!(at_once.repro.text.contains("//! passes = breaks, same\n"));
    let at_the_end = failure(&[&SAME, &BREAKS, &SAME], false, false);
    assert_eq!(messages(&at_the_end), wrong);
    assert_eq!(at_the_end.diags[0].notes, ["after phase `tensor`"]);
    assert!(at_the_end.repro.text.contains("//! passes = same, breaks, same\n"));
    let renamed = failure(&[&RENAMES], true, false);
    assert_eq!(messages(&renamed), ["the unit of @main became that of @other"]);
}

#[test]
fn what_a_pass_promised_to_remove_is_named() {
    let wrong = failure(&[&STRICT], true, false);
    assert_eq!(messages(&wrong), ["tensor.exp remains after pass `strict`"]);
    assert!(run(&[&STRICT], false, false).is_ok());
}

#[test]
fn the_first_pass_that_changes_a_value_is_named() {
    let failure = failure(&[&SAME, &ABS, &NEGATES, &ABS], true, true);
    let [message] = messages(&failure)[..] else { panic!("{:?}", failure.diags) };
    assert!(message.starts_with("pass `negates` changed result 0: element 0 was "), "{message}");
    assert!(run(&[&ABS, &SAME], true, true).is_ok());
}

#[test]
fn a_recorder_keeps_what_was_asked_for() {
    let clock = || std::time::Duration::from_secs(1);
    let mut recorder =
        Recorder::new(Select::parse("abs, none"), Select::parse("changed"), Some(&clock));
    let target = Target::default();
    let runner = Runner { target: &target, verify_each: false, evaluate: None };
    let steps = [&SAME, &ABS].map(Step::new);
    runner.run(&PHASE, &steps, &unit(), &mut recorder).unwrap();
    let names: Vec<&str> = recorder.dumps.iter().map(|it| it.file_name.as_str()).collect();
    assert_eq!(names, ["01-tensor-abs.before.main.ir", "01-tensor-abs.main.ir"]);
    assert_eq!(recorder.dumps[0].text, TEXT);
    let changed: Vec<bool> = recorder.records.iter().map(|it| it.changed).collect();
    assert_eq!(changed, [false, true]);
    assert_eq!(recorder.records[1].ops, (1, 2));
    assert_eq!(recorder.records[1].time, Some(std::time::Duration::ZERO));
}

fn exchanged(cx: &mut RuleCx<'_>, it: ValueId) -> Option<Result<ValueId>> {
    let op = cx.view(it)?.op;
    let x = op.operands().next()?;
    let other = match op.def.0.scalar? {
        ScalarFn::Exp => ScalarFn::Sin,
        _ => ScalarFn::Exp,
    };
    Some(cx.make(|b| Ok(vec![pointwise(b, other, &[x])?])))
}

#[test]
fn rules_that_never_end_are_named() {
    let rules = [
        Rule {
            name: "exp-to-sin",
            root: Root::Op(|| pointwise_def(ScalarFn::Exp)),
            apply: exchanged,
        },
        Rule { name: "any-to-exp", root: Root::Any, apply: exchanged },
    ];
    let (target, step) = (Target::default(), Step::new(&SAME));
    let diag = apply_rules(&unit().functions[0], &rules, &PassCx::new(&target, &step)).unwrap_err();
    assert!(diag.message.starts_with("rewriting does not end; rule `"), "{diag}");
}

#[test]
fn a_rule_sees_what_made_the_operands() {
    let rules = [Rule {
        name: "sin-of-exp",
        root: Root::Op(|| pointwise_def(ScalarFn::Sin)),
        apply: |cx, it| {
            let x = cx.view(it)?.op.operands().next()?;
            let x = cx.view(x).filter(|it| it.op.def.0.scalar == Some(ScalarFn::Exp))?;
            let x = x.op.operands().next()?;
            Some(cx.make(|b| Ok(vec![pointwise(b, ScalarFn::Cos, &[x])?])))
        },
    }];
    let unit = applied(&applied(&unit(), ScalarFn::Sin).unwrap(), ScalarFn::Neg).unwrap();
    let (target, step) = (Target::default(), Step::new(&SAME));
    let cx = PassCx::new(&target, &step);
    let after = apply_rules(&unit.functions[0], &rules, &cx).unwrap();
    let names: Vec<&str> = after.body.ops().iter().map(|it| it.def.0.name).collect();
    assert_eq!(names, ["tensor.cos", "tensor.neg"]);
    assert_eq!(cx.counts(), [("sin-of-exp", 1)]);
    assert_eq!(ir::verify(&after), []);
}

/// A unit that calls a function of the program is compared too.
#[test]
fn what_a_unit_calls_is_evaluated() {
    let text = r#"
func @main {
  %0 = param user "x" : f32[3]
  %1 = tensor.subgraph [%0] {body = @"body", outs = [type(f32[3])]} : f32[3]
  output user "y" %1 : f32[3]<1>
}

func @body {
  %0 = param user "x" : f32[3]
  %1 = tensor.full {value = u0, shape = [3], dtype = !f32} : f32[3]
  %2 = tensor.add %0, %1 : f32[3]
  output result "y" %2 : f32[3]<1>
}
"#;
    let mut functions = parse_module("test", text, &tensor::ops()).expect("the text is right");
    let body = functions.split_off(1);
    let (main, alone) = (Unit { functions }, Unit { functions: body.clone() });
    let oracle = Oracle { inputs: interp::seeded_inputs, run: interp::run_in };
    assert!(oracle.inputs(&main, 0, false).is_err());
    // The symbol has a value only where it is mentioned.
    assert!(oracle.inputs(&alone, 0, false).is_ok());
    assert!(oracle.inputs_in(&body, &main, 0, false).is_err_and(|it| it.contains("u0")));
    let plain = text.replace("value = u0", "value = 2");
    let body = parse_module("test", &plain, &tensor::ops()).expect("right").split_off(1);
    assert!(oracle.inputs_in(&body, &main, 0, false).is_ok());
}
