//! Skeletons of operators.
//!
//! A skeleton is text to fill in and a test that fails until it is: nothing is made that could be
//! taken for an operator.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::repo;

const SCHEMAS: &str = "dialects/aten/src/schemas.txt";
const RULES: &str = "passes/aten/decompose/rules";
const TESTS: &str = "passes/aten/decompose/tests";

/// Which operator.
#[derive(clap::Args)]
pub(crate) struct NewOp {
    /// `aten.NAME` or `aten.NAME.OVERLOAD` for one that archives have, `tensor.NAME` for a new one
    /// of ours.
    name: String,
}

/// Makes the test of an operator, and prints what is to be filled in and where.
pub(crate) fn run(args: &NewOp) -> Result<()> {
    match args.name.split_once('.') {
        Some(("aten", name)) => aten(name),
        Some(("tensor", name)) => tensor(name),
        _ => bail!("`{}` is neither aten.NAME nor tensor.NAME", args.name),
    }
}

fn aten(name: &str) -> Result<()> {
    check_name(name)?;
    let schemas = repo::read(Path::new(SCHEMAS))?;
    let is_it = |line: &&str| line.split('(').next() == Some(name);
    let Some(schema) = schemas.lines().find(is_it) else {
        bail!(
            "{SCHEMAS} has no line for `{name}`; with a Python that has PyTorch,\n    \
             python dialects/aten/schemas.py {name}\n\
             adds it, or write the one that PyTorch has by hand, in order, as in\n    \
             hardswish(Tensor self) -> Tensor"
        );
    };
    for file in repo::files()?.iter().filter(|it| it.starts_with(RULES)) {
        if repo::read(file)?.contains(&format!("\"{name}\"")) {
            bail!("`{name}` has its rule already, in {}", file.display());
        }
    }
    let function = name.replace('.', "_").to_lowercase();
    let function = function.trim_start_matches('_');
    let test = Path::new(TESTS).join(format!("{function}.ir"));
    create(&test, &aten_test(name, schema)?)?;
    println!(
        "1. The rule, in a file of {RULES} that has its like; and its line in the table there:\n\n\
         /// What it gives, in a sentence.\n\
         fn {function}(cx: &mut Cx<'_, '_>) -> Values {{\n{}    Ok(vec![…])\n}}\n\n    \
         \"{name}\" => {function},\n\n\
         2. {} is its test, of\n\n    {schema}\n\n   \
         Give the arguments that matter, state the types that eager gives, and then\n\n    \
         cargo xtask bless -p aten-passes\n\n\
         3. cargo xtask conformance ops --filter NAME compares it with eager; NAME is a part of \
         the name that\n   PyTorch's operator database has.",
        reads(schema)?,
        test.display()
    );
    Ok(())
}

/// One line of Rust for each argument of a schema, which reads it.
fn reads(schema: &str) -> Result<String> {
    let mut res = String::new();
    for Argument { ty, name, .. } in arguments(schema)? {
        let getter = match ty.split('(').next().unwrap_or(ty) {
            "Tensor" if ty.ends_with("[]") => "list",
            "Tensor" if ty.ends_with('?') => "opt",
            "Tensor" => "x",
            "Tensor?" => "opt",
            "Tensor[]" => "list",
            "Tensor?[]" => "opt_list",
            "Scalar" => "number",
            "int" => "int",
            "SymInt" => "size",
            "float" => "float",
            "bool" | "bool?" => "flag",
            "str" => "text",
            "ScalarType" | "ScalarType?" => "dtype",
            it if it.starts_with("int[") => "ints",
            it if it.starts_with("SymInt[") => "sizes",
            "int?" => "get::<Option<i64>>",
            "SymInt?" => "get::<Option<Expr>>",
            "float?" => "get::<Option<f64>>",
            "str?" => "get::<Option<String>>",
            "Scalar?" => "get::<Option<Number>>",
            _ => "get",
        };
        res.push_str(&format!("    let {} = cx.{getter}(\"{name}\")?;\n", variable(name)));
    }
    Ok(res)
}

/// A name that Rust allows.
fn variable(name: &str) -> String {
    match name {
        "self" => "x".to_owned(),
        it => it.to_lowercase(),
    }
}

/// A function that calls the operator on float32 tensors, its other arguments at their defaults.
fn aten_test(name: &str, schema: &str) -> Result<String> {
    let (mut params, mut operands, mut attrs) = (String::new(), Vec::new(), Vec::new());
    let mut count = 0;
    for Argument { ty, name: arg, default } in arguments(schema)? {
        if ty.starts_with("Tensor") {
            if default == Some("None") {
                operands.push("_".to_owned());
                continue;
            }
            params.push_str(&format!("  %{count} = param user \"{arg}\" : f32[3, 4]<4, 1>\n"));
            operands.push(match ty.contains("[]") {
                true => format!("[%{count}]"),
                false => format!("%{count}"),
            });
            count += 1;
        } else {
            attrs.push(format!("{arg} = {}", default.map_or("?".to_owned(), value)));
        }
    }
    let attrs = match attrs.is_empty() {
        true => String::new(),
        false => format!(" {{{}}}", attrs.join(", ")),
    };
    Ok(format!(
        "// What this operator does that its neighbours do not.\n\
         func @main {{\n{params}  \
         %{count} = aten.{name} {}{attrs} : f32[3, 4]<4, 1>\n  \
         output user \"y\" %{count} : f32[3, 4]<4, 1>\n}}\n// ---- after\n",
        operands.join(", ")
    ))
}

/// An argument of a schema.
struct Argument<'a> {
    ty: &'a str,
    name: &'a str,
    default: Option<&'a str>,
}

fn arguments(schema: &str) -> Result<Vec<Argument<'_>>> {
    let inside = schema.split_once('(').and_then(|it| it.1.rsplit_once(") ->")).map(|it| it.0);
    let inside = inside.with_context(|| format!("`{schema}` is no schema"))?;
    let mut res = Vec::new();
    for arg in split_arguments(inside) {
        let (ty, rest) = arg.rsplit_once(' ').with_context(|| format!("`{arg}` has no name"))?;
        let (name, default) = match rest.split_once('=') {
            Some((name, default)) => (name, Some(default)),
            None => (rest, None),
        };
        res.push(Argument { ty, name, default });
    }
    Ok(res)
}

/// Arguments between commas that stand in no bracket; the mark of keywords is none.
fn split_arguments(text: &str) -> Vec<&str> {
    let (mut res, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, it) in text.char_indices() {
        match it {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                res.push(text[start..at].trim());
                start = at + 1;
            }
            _ => (),
        }
    }
    res.push(text[start..].trim());
    res.retain(|it| !it.is_empty() && *it != "*");
    res
}

/// A default of a schema as IR text has it.
fn value(default: &str) -> String {
    match default {
        "None" => "none".to_owned(),
        "True" => "true".to_owned(),
        "False" => "false".to_owned(),
        it => it.replace('\'', "\""),
    }
}

fn tensor(name: &str) -> Result<()> {
    check_name(name)?;
    let ops = Path::new("dialects/tensor/src/ops.rs");
    if repo::read(ops)?.contains(&format!("= \"{name}\"")) {
        bail!("there is a tensor.{name} already");
    }
    let words = name.split('_').filter(|it| !it.is_empty());
    let camel: String = words.map(|it| it[..1].to_uppercase() + &it[1..]).collect();
    let test = Path::new("dialects/tensor/tests").join(format!("{name}.ir"));
    create(
        &test,
        &format!(
            "// C1: what is demanded of the operands.\n\
             func @main {{\n  %0 = param user \"x\" : f32[3, 4]<4, 1>\n  \
             %1 = tensor.{name} %0 : f32[3, 4] // error: C1\n  \
             output user \"y\" %1 : f32[3, 4]<4, 1>\n}}\n"
        ),
    )?;
    println!(
        "1. The block, in {}:\n\n    \
         /// What it gives. C1: what is demanded of the operands.\n    ///\n    \
         /// ```ir\n    /// %1 = tensor.{name} %0 : f32[s0, 4]\n    /// ```\n    \
         op {camel} = \"{name}\" ([x]) {{}} {{\n        \
         infer: infer::{name}, effects: Effects::Pure, eval: Some(eval::{name}),\n    }}\n\n\
         2. `infer` and `eval` of that name.\n\
         3. Its lowering, in passes/tensor/fuse.\n\
         4. {} is the test of its constraint.",
        ops.display(),
        test.display()
    );
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let is_name = |part: &str| {
        part.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && part.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    match name.split('.').all(is_name) {
        true => Ok(()),
        false => bail!("`{name}` is no name of an operator"),
    }
}

fn create(path: &Path, text: &str) -> Result<()> {
    let whole = repo::root().join(path);
    if whole.exists() {
        bail!("{} is there already", path.display());
    }
    fs::write(&whole, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_what_the_schema_asks_for() {
        let schema =
            "roll(Tensor self, SymInt[1] shifts, int[1] dims=[], *, Tensor? out=None) -> Tensor";
        assert_eq!(
            aten_test("roll", schema).unwrap(),
            "// What this operator does that its neighbours do not.\n\
             func @main {\n  %0 = param user \"self\" : f32[3, 4]<4, 1>\n  \
             %1 = aten.roll %0, _ {shifts = ?, dims = []} : f32[3, 4]<4, 1>\n  \
             output user \"y\" %1 : f32[3, 4]<4, 1>\n}\n// ---- after\n"
        );
        assert_eq!(
            reads(schema).unwrap(),
            "    let self = cx.x(\"self\")?;\n    let shifts = cx.sizes(\"shifts\")?;\n    \
             let dims = cx.ints(\"dims\")?;\n    let out = cx.opt(\"out\")?;\n"
                .replace("let self", "let x")
        );
        assert!(aten_test("x", "x").is_err());
    }

    #[test]
    fn names_are_checked() {
        for name in ["roll", "add.Tensor", "roll_scaled", "add_.Tensor"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "../x", "a..b", "a b"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
