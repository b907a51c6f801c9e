//! What is computed again after an edit.

use std::sync::Arc;

use catalog::{Phase, Pipeline};
use db::{
    Archive, Arguments, Database, Source, Watch, WeightsRef, import, kernels, lowered, manifest,
    observe, printed, program_diags,
};
use pass::{Recorder, Select, Target};
use salsa::Setter;

const MAIN: &str = "func @main {
  symbol s0 in 1..64
  %0 = param user \"x\" : f32[s0, 8]<8, 1>
  %1 = tensor.exp %0 : f32[s0, 8]
  %2 = tensor.neg %1 : f32[s0, 8]
  output user \"y\" %2 : f32[s0, 8]<8, 1>
}
";
const SIDE: &str = "func @side {
  symbol s0 in 1..64
  %0 = param user \"x\" : f32[s0, 8]<8, 1>
  %1 = tensor.abs %0 : f32[s0, 8]
  output user \"y\" %1 : f32[s0, 8]<8, 1>
}
";

fn source(text: &str) -> Source {
    Source::Module { name: "test.ir".to_owned(), text: Arc::from(text) }
}

fn archive(db: &Database, text: &str) -> Archive {
    let phases = (Phase::Tensor, Phase::Wrapper);
    let target = Target::default();
    db.add_archive(source(text), WeightsRef::default(), phases, target, &Pipeline::standard())
}

/// Everything that a package needs, and a failure's reason if there is one.
fn compile(db: &Database, archive: Archive) {
    let diags: Vec<String> = program_diags(db, archive).iter().map(ToString::to_string).collect();
    assert_eq!(diags, Vec::<String>::new());
    assert!(!manifest(db, archive).sources.is_empty());
}

/// The queries executed by compiling, sorted, each with how often.
fn executed(db: &Database, archive: Archive) -> Vec<String> {
    let mut names = db.executed(|db| compile(db, archive));
    names.sort();
    let mut res: Vec<(String, usize)> = Vec::new();
    for name in names {
        match res.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => res.push((name, 1)),
        }
    }
    res.into_iter().map(|(name, count)| format!("{name} {count}")).collect()
}

const ALL: [&str; 12] = [
    "aten_phase 2",
    "entered 6",
    "import 1",
    "kernels 1",
    "loops_phase 2",
    "manifest 1",
    "printed 1",
    "program 1",
    "program_diags 1",
    "tensor_phase 2",
    "together 3",
    "wrapper_phase 2",
];

/// Compiles, edits, and compiles again.
fn after(edit: impl FnOnce(&mut Database, Archive)) -> Vec<String> {
    let mut db = Database::logging();
    let archive = archive(&db, &format!("{MAIN}{SIDE}"));
    assert_eq!(executed(&db, archive), ALL);
    assert_eq!(executed(&db, archive), Vec::<String>::new());
    edit(&mut db, archive);
    executed(&db, archive)
}

fn after_text(text: &str) -> Vec<String> {
    after(|db, archive| {
        archive.set_source(db).to(source(text));
    })
}

#[test]
fn a_moved_line_reruns_only_import() {
    assert_eq!(after_text(&format!("// moved\n{MAIN}\n// moved\n{SIDE}")), ["import 1"]);
}

#[test]
fn a_moved_python_line_changes_origins_and_nothing_else() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/tiny_2.9.pt2");
    let bytes = std::fs::read(path).unwrap();
    let mut program = ::import::read(&bytes).unwrap().program;
    let mut db = Database::logging();
    let archive = db.add_archive(
        Source::Export(Arc::new(program.clone())),
        WeightsRef::default(),
        (Phase::Aten, Phase::Wrapper),
        Target::default(),
        &Pipeline::standard(),
    );
    let lines = |db: &Database| -> Vec<u32> {
        import(db, archive).functions[0].origins(db).iter().map(|it| it.line).collect()
    };
    compile(&db, archive);
    let before = lines(&db);
    for node in &mut program.graph_module.graph.nodes {
        if let Some(it) = &mut node.metadata.stack_trace {
            *it = it.replace(", line ", ", line 7");
        }
    }
    archive.set_source(&mut db).to(Source::Export(Arc::new(program)));
    assert_eq!(executed(&db, archive), ["import 1"]);
    assert_ne!(lines(&db), before);
}

#[test]
fn a_changed_body_reruns_its_own_phases() {
    let changed = SIDE.replace("tensor.abs", "tensor.sin");
    assert_eq!(
        after_text(&format!("{MAIN}{changed}")),
        [
            "aten_phase 1",
            "entered 6",
            "import 1",
            "kernels 1",
            "loops_phase 1",
            "manifest 1",
            "printed 1",
            "program 1",
            "program_diags 1",
            "tensor_phase 1",
            "together 3",
            "wrapper_phase 1",
        ]
    );
}

/// A program with two bodies, each too long for its two calls to be inlined.
fn with_bodies(first: &str, second: &str) -> String {
    let call = |to: i64, from: i64, body: &str| {
        format!(
            "  %{to} = tensor.subgraph [%{from}] {{body = @\"{body}\", outs = [type(f32[8])]}} : f32[8]\n"
        )
    };
    let calls = [call(1, 0, "a"), call(2, 1, "b"), call(3, 2, "a"), call(4, 3, "b")].concat();
    let body = |name: &str, op: &str| {
        let ops: String =
            (0..10).map(|i| format!("  %{} = tensor.{op} %{i} : f32[8]\n", i + 1)).collect();
        format!(
            "func @{name} {{\n  %0 = param user \"x\" : f32[8]\n{ops}  output result \"y\" %10 : f32[8]\n}}\n"
        )
    };
    let main = format!(
        "func @main {{\n  %0 = param user \"x\" : f32[8]\n{calls}  output user \"y\" %4 : f32[8]<1>\n}}\n"
    );
    [main, body("a", first), body("b", second)].concat()
}

#[test]
fn a_changed_body_of_control_flow_reruns_its_own_phases() {
    let mut db = Database::logging();
    let archive = archive(&db, &with_bodies("sin", "cos"));
    executed(&db, archive);
    archive.set_source(&mut db).to(source(&with_bodies("sin", "exp")));
    let rerun = executed(&db, archive);
    // Those who call it, and the other body, only see that what takes the whole program ran.
    let phases = ["aten_phase 1", "loops_phase 1", "tensor_phase 1", "wrapper_phase 1"];
    let found: Vec<&String> = rerun.iter().filter(|it| it.contains("_phase")).collect();
    assert_eq!(found, phases, "{rerun:?}");
}

#[test]
fn a_dead_op_reruns_its_phase_and_nothing_after_it() {
    let dead = SIDE.replace("  output", "  %2 = tensor.exp %1 : f32[s0, 8]\n  output");
    assert_eq!(
        after_text(&format!("{MAIN}{dead}")),
        ["aten_phase 1", "import 1", "program_diags 1", "tensor_phase 1", "together 1",]
    );
}

#[test]
fn other_passes_of_loops_leave_tensor_alone() {
    let rerun = after(|db, archive| {
        let text = Pipeline::standard().to_string().replace(", vectorize", "");
        let pipeline = Pipeline::parse("test", &text).unwrap();
        db.set_pipeline(archive, &pipeline);
    });
    assert!(rerun.contains(&"loops_phase 2".to_owned()), "{rerun:?}");
    assert!(!rerun.iter().any(|it| it.starts_with("tensor") || it.starts_with("aten")));
    assert!(!rerun.iter().any(|it| it.starts_with("import")));
}

#[test]
fn the_same_passes_are_no_edit() {
    let rerun = after(|db, archive| db.set_pipeline(archive, &Pipeline::standard()));
    assert_eq!(rerun, Vec::<String>::new());
}

#[test]
fn moved_weights_leave_all_but_the_package_alone() {
    let rerun = after(|db, archive| {
        let weights = WeightsRef { path: "elsewhere".to_owned(), digest: String::new() };
        archive.set_weights(db).to(weights);
    });
    assert_eq!(rerun, ["manifest 1"]);
}

#[test]
fn equal_kernels_of_two_functions_are_one() {
    let db = Database::default();
    let twin = SIDE.replace("@side", "@twin");
    let archive = archive(&db, &format!("{SIDE}{twin}"));
    compile(&db, archive);
    assert_eq!(kernels(&db, archive).len(), 1);
}

#[test]
fn a_frozen_program_compiles() {
    let mut db = Database::default();
    let archive = archive(&db, MAIN);
    db.freeze(archive);
    compile(&db, archive);
}

#[test]
fn what_is_wrong_is_an_answer() {
    let db = Database::default();
    let broken = archive(&db, "func @main {\n  %0 = tensor.nope : f32[4]\n}\n");
    assert_eq!(
        program_diags(&db, broken)[0].message,
        "unknown op `tensor.nope`; did you mean `tensor.ne`?"
    );
    assert!(printed(&db, broken).is_empty());
    let twice = archive(&db, &format!("{SIDE}{SIDE}"));
    assert_eq!(program_diags(&db, twice)[0].message, "two functions are called @side");
}

#[test]
fn single_passes_are_observed_from_the_memory_of_the_phase_before() {
    let db = Database::logging();
    let archive = archive(&db, SIDE);
    let function = import(&db, archive).functions[0];
    let watch = Watch {
        from: Phase::Tensor,
        to: Phase::Loops,
        until: Some("fuse".to_owned()),
        verify_each: true,
        validate_each: Some(Arguments::default()),
    };
    let mut recorder = Recorder::new(Select::Nothing, Select::Changed, None);
    let names = db.executed(|db| {
        let unit = observe(db, function, &watch, &mut recorder).map_err(|it| it.diags).unwrap();
        assert!(unit.print().contains("loops."), "{}", unit.print());
    });
    assert_eq!(names, ["aten_phase"]);
    let steps: Vec<&str> = recorder.records.iter().map(|it| it.step.as_str()).collect();
    let all = [
        "inline-subgraphs",
        "mark-fixed",
        "simplify-sizes",
        "expand-attention",
        "split-complex",
        "canonicalize",
        "cse",
        "fold-constants",
        "hoist-constants",
        "fuse",
    ];
    assert_eq!(steps, all);
    let dumps: Vec<&str> = recorder.dumps.iter().map(|it| it.file_name.as_str()).collect();
    assert_eq!(dumps, ["09-loops-fuse.side.ir"]);
    assert!(!lowered(&db, function, Phase::Loops).failed);
}
