//! The toolchain with the host's real compiler; skipped where there is none.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use toolchain::{Cache, Compiler, Error, Header, LinkOptions, TargetCpu, Toolchain, Unit};

fn compiler() -> Option<Compiler> {
    Compiler::find().map_err(|error| eprintln!("skipped: {error}")).ok()
}

fn unit(name: &str, source: &str) -> Unit {
    Unit {
        name: name.to_string(),
        source: source.as_bytes().to_vec(),
        headers: Arc::new([]),
        flags: Vec::new(),
    }
}

/// Two units and a header, with everything that could tell where they were built.
fn program() -> Vec<Unit> {
    let header = Header::new("sub/twice.h", "inline int twice(int x) { return 2 * x; }\n");
    let first = "#include \"sub/twice.h\"\n\
                 extern \"C\" int hidden(int x) { return twice(x); }\n\
                 extern \"C\" __attribute__((visibility(\"default\"))) const char* place()\n\
                 { return __FILE__ __DATE__ __TIME__; }\n";
    let second = "extern \"C\" int hidden(int);\n\
                  extern \"C\" __attribute__((visibility(\"default\"))) int run(int n) {\n\
                    int sum = 0;\n\
                    _Pragma(\"omp parallel for reduction(+ : sum)\")\n\
                    for (int i = 0; i < n; ++i) sum += hidden(i);\n\
                    return sum;\n\
                  }\n";
    let mut units = vec![unit("first.cpp", first), unit("second.cpp", second)];
    units[0].headers = Arc::new([header]);
    units[1].flags = vec!["-O3".to_string()];
    units
}

fn options() -> LinkOptions {
    let exports = "{ global: run; place; local: *; };\n".to_string();
    LinkOptions { exports: Some(exports), ..LinkOptions::default() }
}

#[test]
fn the_same_units_give_the_same_bytes() {
    let Some(compiler) = compiler() else { return };
    // Each build has folders of its own.
    let build = |jobs| {
        let toolchain = Toolchain::new(compiler.clone(), None).with_jobs(jobs);
        toolchain.build(&program(), &options()).unwrap()
    };
    let first = build(1);
    assert_eq!(first.digest, build(2).digest);
    let text = String::from_utf8_lossy(&first.bytes);
    let folder = std::env::temp_dir().display().to_string();
    assert!(!text.contains(&folder), "the library names {folder}");
}

#[test]
fn a_second_build_comes_from_the_cache() {
    let Some(compiler) = compiler() else { return };
    let dir = tempfile::tempdir().unwrap();
    let cache = || Cache::new(dir.path().join("cache"), 1 << 24);
    let toolchain = Toolchain::new(compiler.clone(), Some(cache()));
    let cached = |units: &[Unit]| -> Vec<bool> {
        toolchain.compile(units).unwrap().iter().map(|it| it.cached).collect()
    };
    let mut units = program();
    assert_eq!(cached(&units), [false, false]);
    assert_eq!(cached(&units), [true, true]);
    // The name of a unit is not part of it.
    units[0].name = "other.cpp".to_string();
    assert_eq!(cached(&units), [true, true]);
    // What it includes is, and how it is compiled.
    let header = Header::new("sub/twice.h", "inline int twice(int x) { return x + x; }\n");
    units[0].headers = Arc::new([header]);
    assert_eq!(cached(&units), [false, true]);
    units[1].flags = TargetCpu::Level(2).flags();
    assert_eq!(cached(&units), [true, false]);

    let first = toolchain.build(&units, &options()).unwrap();
    let second = toolchain.build(&units, &options()).unwrap();
    assert!(!first.cached && second.cached);
    assert_eq!(first.bytes, second.bytes);
}

#[test]
fn several_processes_worth_of_builders_share_a_cache() {
    let Some(compiler) = compiler() else { return };
    let dir = tempfile::tempdir().unwrap();
    let digests: Vec<_> = std::thread::scope(|scope| {
        let build = || {
            let cache = Cache::new(dir.path(), 1 << 24);
            Toolchain::new(compiler.clone(), Some(cache)).build(&program(), &options()).unwrap()
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(build)).collect();
        threads.into_iter().map(|it| it.join().unwrap().digest).collect()
    });
    assert!(digests.iter().all(|it| *it == digests[0]));
}

#[test]
fn an_error_has_the_unit_and_the_reason() {
    let Some(compiler) = compiler() else { return };
    let toolchain = Toolchain::new(compiler, None);
    let bad = unit("kernel_7.cpp", "int f() { return undeclared_thing; }\n");
    match toolchain.compile(&[unit("good.cpp", "int x;\n"), bad]) {
        Err(Error::Compile { unit, output, .. }) => {
            assert_eq!(unit, "kernel_7.cpp");
            assert!(output.contains("unit.cpp:1") && output.contains("undeclared_thing"));
        }
        other => panic!("{other:?}"),
    }
    let source = "int absent();\n\
                  __attribute__((visibility(\"default\"))) int f() { return absent(); }\n";
    let unresolved = [unit("a.cpp", source)];
    let error = toolchain.build(&unresolved, &LinkOptions::default()).unwrap_err().to_string();
    assert!(error.contains("the library") && error.contains("absent"), "{error}");
}

#[test]
fn a_header_cannot_leave_its_folder() {
    let Some(compiler) = compiler() else { return };
    let toolchain = Toolchain::new(compiler, None);
    for name in ["../x.h", "/tmp/x.h", "a/../../x.h"] {
        let headers: Arc<[Header]> = Arc::new([Header::new(name, "")]);
        let res = toolchain.compile(&[Unit { headers, ..unit("a.cpp", "") }]);
        assert!(matches!(res, Err(Error::HeaderName { .. })), "{name}");
    }
}

#[test]
fn a_compiler_that_does_not_work_is_named() {
    let error = Compiler::probe("no-such-compiler".to_string(), Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no-such-compiler"), "{error}");
    let error = Compiler::probe("false".to_string(), Vec::new()).unwrap_err();
    assert!(matches!(error, Error::BadCompiler { .. }), "{error}");
}

/// The libraries a file needs and the undefined symbols it has, by `readelf` and `nm`.
fn imports(path: &Path) -> Option<(Vec<String>, Vec<String>)> {
    let text = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).arg(path).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let needed = text("readelf", &["-d"])?;
    let needed = needed.lines().filter_map(|it| it.split_once("(NEEDED)")?.1.split_once('['));
    let needed = needed.map(|(_, name)| name.trim_end_matches(']').to_string()).collect();
    let symbols = text("nm", &["-D", "--undefined-only"])?;
    let symbols = symbols.split_whitespace().filter(|it| 1 < it.len()).map(str::to_string);
    Some((needed, symbols.collect()))
}

#[test]
fn a_library_needs_the_system_alone() {
    let Some(compiler) = compiler() else { return };
    let library = Toolchain::new(compiler, None).build(&program(), &options()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("library.so");
    std::fs::write(&path, &library.bytes).unwrap();
    let Some((needed, symbols)) = imports(&path) else { return };
    for name in &needed {
        let known = ["libc.", "libm.", "libgomp.", "libomp.", "libstdc++.", "libgcc_s."];
        assert!(known.iter().any(|it| name.starts_with(it)), "{needed:?}");
    }
    assert!(!symbols.iter().any(|it| it.starts_with("aoti_torch")), "{symbols:?}");
}
