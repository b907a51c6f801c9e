//! `tests/run/*.ir`: each is compiled, run on seeded inputs of several sizes, and compared with the
//! interpreter.

use std::fs;

use tintype::{
    CompileOptions, Sizes, Tolerance, compare, compile, interpret, runtime::Model, seeded, table,
};

use crate::support::{has_compiler, root};

/// Sizes to run at: the least of the ranges, an odd one, a power of two, and one past it.
const SIZES: [i64; 4] = [1, 7, 16, 33];

#[test]
fn compiled_programs_give_what_the_interpreter_gives() {
    if !has_compiler() {
        return;
    }
    let mut paths: Vec<_> = fs::read_dir(root().join("tests/run"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "ir"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let package = folder.path().join(format!("{name}.pt2"));
        let options = CompileOptions { use_cache: false, ..CompileOptions::new(&path, &package) };
        compile(&options, &|_| ()).unwrap_or_else(|it| panic!("{name}: {it}"));
        let model = Model::load(&package).unwrap();
        for (seed, size) in SIZES.into_iter().enumerate() {
            let sizes = model.symbols().iter().map(|it| (it.name.clone(), size));
            let sizes: Sizes = sizes.collect();
            let mut inputs = seeded(&model, seed as u64, &sizes).unwrap();
            let wanted = interpret(&path, &inputs).unwrap_or_else(|it| panic!("{name}: {it}"));
            let found = model.run_mut(&mut inputs).unwrap();
            let wanted: Vec<_> = wanted.into_iter().enumerate().collect();
            assert_eq!(wanted.len(), found.len(), "{name}");
            let differences = table(&compare(&found, &wanted, Tolerance::default()));
            assert!(differences.is_empty(), "{name} at {size}\n{differences}");
        }
    }
}
