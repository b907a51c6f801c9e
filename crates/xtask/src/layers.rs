//! Who may import whom. An edge that is not in these tables is a change to this file, with a
//! reason in its review.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::repo;

/// What one of our crates may import.
struct Layer {
    name: &'static str,
    uses: &'static [&'static str],
    /// Besides, in its tests.
    tests: &'static [&'static str],
}

const fn layer(name: &'static str, uses: &'static [&'static str]) -> Layer {
    Layer { name, uses, tests: &["testkit", "interp"] }
}

/// Our crates, lowest first: an import points up in this table.
static LAYERS: &[Layer] = &[
    Layer { name: "diag", uses: &[], tests: &[] },
    Layer { name: "sym", uses: &[], tests: &[] },
    Layer { name: "ir", uses: &["diag", "sym"], tests: &[] },
    // The evaluator; it names no op.
    Layer { name: "interp", uses: &["ir", "sym"], tests: &["testkit", "tensor"] },
    // Dialects: never one another.
    layer("aten", &["ir", "sym", "diag"]),
    layer("tensor", &["ir", "sym", "diag"]),
    layer("loops", &["ir", "sym", "diag"]),
    layer("wrapper", &["ir", "sym", "diag"]),
    Layer { name: "pass", uses: &["ir", "sym", "diag"], tests: &["testkit", "interp", "tensor"] },
    Layer { name: "testkit", uses: &["pass", "ir", "interp", "diag"], tests: &["tensor"] },
    // Passes: at most two neighbouring dialects. Folding constants is evaluating them.
    Layer {
        name: "aten-passes",
        uses: &["pass", "ir", "sym", "diag", "aten", "tensor"],
        // Its operators are tested on real archives.
        tests: &["testkit", "interp", "import"],
    },
    layer("tensor-passes", &["pass", "ir", "sym", "diag", "interp", "tensor", "loops"]),
    layer("loops-passes", &["pass", "ir", "sym", "diag", "loops", "wrapper"]),
    Layer {
        name: "wrapper-passes",
        // Which memory a kernel may use again is read from its indices.
        uses: &["pass", "ir", "sym", "diag", "loops", "wrapper"],
        tests: &["testkit", "interp"],
    },
    layer("import", &["aten", "ir", "sym", "diag"]),
    Layer {
        name: "emit",
        uses: &["ir", "sym", "diag", "loops", "wrapper"],
        tests: &["toolchain", "interp"],
    },
    layer(
        "catalog",
        &[
            "ir",
            "pass",
            "diag",
            "aten",
            "tensor",
            "loops",
            "wrapper",
            "aten-passes",
            "tensor-passes",
            "loops-passes",
            "wrapper-passes",
        ],
    ),
    // No IR: bytes in, bytes out.
    Layer { name: "toolchain", uses: &[], tests: &[] },
    Layer { name: "package", uses: &[], tests: &["toolchain"] },
    layer("db", &["catalog", "import", "emit", "pass", "interp", "ir", "sym", "diag"]),
    // None of the compiler: who only runs models builds only this.
    Layer { name: "runtime", uses: &["package"], tests: &["toolchain"] },
    Layer {
        name: "tintype",
        uses: &[
            "db",
            "runtime",
            "toolchain",
            "package",
            "import",
            "emit",
            "interp",
            "catalog",
            // The planner on its own, and what a plan keeps where.
            "wrapper-passes",
            "pass",
            "ir",
            "sym",
            "diag",
        ],
        tests: &["testkit"],
    },
    // Nothing of ours, so that it works while the compiler does not.
    Layer { name: "xtask", uses: &[], tests: &[] },
];

/// Where a crate from outside may be used.
enum Place {
    Anywhere,
    Only(&'static [&'static str]),
    /// Tests, benchmarks and examples alone.
    Tests,
}

static OUTSIDE: &[(&str, Place)] = &[
    ("anyhow", Place::Only(&["tintype", "xtask"])),
    ("clap", Place::Only(&["tintype", "xtask"])),
    ("codespan-reporting", Place::Only(&["diag"])),
    ("criterion", Place::Tests),
    ("datatest-stable", Place::Tests),
    ("egg", Place::Only(&["sym"])),
    ("flate2", Place::Only(&["import"])),
    ("half", Place::Only(&["ir", "runtime", "tintype"])),
    ("indexmap", Place::Anywhere),
    ("indicatif", Place::Only(&["tintype"])),
    ("insta", Place::Tests),
    ("libc", Place::Only(&["runtime", "tintype"])),
    ("libloading", Place::Only(&["runtime"])),
    ("libm", Place::Only(&["ir"])),
    ("memmap2", Place::Only(&["import", "runtime", "tintype"])),
    ("petgraph", Place::Only(&["aten-passes", "tensor-passes", "loops-passes", "wrapper-passes"])),
    ("proptest", Place::Tests),
    // Where work is wide: evaluating tensors, and compiling.
    ("rayon", Place::Only(&["tensor", "db", "tintype"])),
    ("rustc-hash", Place::Anywhere),
    ("safetensors", Place::Only(&["tintype"])),
    ("salsa", Place::Only(&["db"])),
    ("serde", Place::Only(&["import"])),
    ("serde_json", Place::Only(&["import", "package", "tintype", "xtask"])),
    ("sha2", Place::Only(&["ir", "toolchain", "tintype"])),
    ("smallvec", Place::Anywhere),
    ("tempfile", Place::Only(&["toolchain", "runtime", "tintype"])),
    ("zip", Place::Only(&["package"])),
];

/// Names that one file alone may mention.
static ONE_FILE: &[(&str, &str)] = &[("codespan_reporting", "crates/diag/src/render.rs")];

/// Checks the workspace.
pub(crate) fn run() -> Result<()> {
    let wrong = check()?;
    repo::verdict("layers", &wrong)
}

fn check() -> Result<Vec<String>> {
    let text = repo::output(repo::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--offline",
    ]))?;
    let metadata: Value = serde_json::from_str(&text).context("reading cargo metadata")?;
    let mut wrong = edges(&metadata);
    for path in repo::files()? {
        if path.extension().is_none_or(|it| it != "rs") {
            continue;
        }
        let text = repo::read(&path)?;
        for (name, file) in ONE_FILE {
            let is_this = path == Path::new("crates/xtask/src/layers.rs");
            if path != Path::new(file) && !is_this && text.contains(&format!("{name}::")) {
                wrong.push(format!("{}: only {file} may name {name}", path.display()));
            }
        }
    }
    Ok(wrong)
}

/// Every edge of the workspace that the tables do not have.
fn edges(metadata: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let list = |value: &Value, key: &str| -> Vec<Value> {
        value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let packages = list(metadata, "packages");
    let text = |value: &Value, key: &str| -> String {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for (i, layer) in LAYERS.iter().enumerate() {
        if !packages.iter().any(|it| text(it, "name") == layer.name) {
            wrong.push(format!("{}: in the table, not in the workspace", layer.name));
        }
        for used in layer.uses {
            if !LAYERS[..i].iter().any(|it| it.name == *used) {
                wrong.push(format!("{}: {used} is not below it in the table", layer.name));
            }
        }
    }
    for package in &packages {
        let name = text(package, "name");
        let Some(layer) = LAYERS.iter().find(|it| it.name == name) else {
            wrong.push(format!("{name}: in the workspace, not in the table"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let used = text(&dependency, "name");
            let for_tests = text(&dependency, "kind") == "dev";
            let allowed = if LAYERS.iter().any(|it| it.name == used) {
                layer.uses.contains(&&*used) || for_tests && layer.tests.contains(&&*used)
            } else {
                match OUTSIDE.iter().find(|it| it.0 == used) {
                    None => false,
                    Some((_, Place::Anywhere)) => true,
                    Some((_, Place::Tests)) => for_tests,
                    Some((_, Place::Only(it))) => for_tests || it.contains(&&*name),
                }
            };
            if !allowed {
                let tests = if for_tests { " in its tests" } else { "" };
                wrong.push(format!("{name} may not import {used}{tests}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_edge_that_points_up_is_found() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "sym", "dependencies": [{ "name": "ir", "kind": null }] },
            { "name": "diag", "dependencies": [{ "name": "insta", "kind": null }] },
            { "name": "stray", "dependencies": [] },
        ]});
        let wrong = edges(&metadata).join("\n");
        assert!(wrong.contains("sym may not import ir"), "{wrong}");
        assert!(wrong.contains("diag may not import insta"), "{wrong}");
        assert!(wrong.contains("stray: in the workspace, not in the table"), "{wrong}");
    }
}
