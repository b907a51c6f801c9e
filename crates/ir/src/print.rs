//! The one printer: no arm per op.
//!
//! ```text
//! func @main {
//!   symbol s0 in 2..1024
//!   %0 = param user "x" : f32[s0, 64]<64, 1>
//!   %1 = tensor.exp %0 : f32[s0, 64]
//!   output user "y" %1 : f32[s0, 64]<64, 1>
//! }
//! ```
//! Symbols come first, then parameters, ops and outputs. An operand is a value, `_` or a list;
//! regions follow the result types in braces, their parameters after `^`.

use std::fmt::{self, Write};

use sym::Expr;

use crate::{Arg, Attr, Body, Function, Op, OutputKind, Region, ValueId, attr::write_str};

/// Prints functions, one after the other.
pub fn print_module(functions: &[Function]) -> String {
    let mut res = String::new();
    for (i, it) in functions.iter().enumerate() {
        if i != 0 {
            res.push('\n');
        }
        res.push_str(&print_function(it));
    }
    res
}

/// Prints one function.
pub fn print_function(function: &Function) -> String {
    let mut res = String::new();
    write_function(&mut res, function).expect("writing to a string does not fail");
    res
}

fn write_function(f: &mut String, function: &Function) -> fmt::Result {
    let Function { name, facts, params, outputs, body } = function;
    writeln!(f, "func @{name} {{")?;
    for statement in facts.statements() {
        writeln!(f, "  {statement}")?;
    }
    for (param, value) in params.iter().zip(&body.root.params) {
        write!(f, "  {value} = param {} ", param.kind.name())?;
        write_str(f, &param.name)?;
        writeln!(f, " : {}", body.ty(*value))?;
    }
    for op in &body.root.ops {
        write_op(f, body, op, 1)?;
    }
    for (output, value) in outputs.iter().zip(&body.root.yields) {
        f.write_str("  output ")?;
        match &output.kind {
            OutputKind::User => f.write_str("user ")?,
            OutputKind::Mutates(it) => write!(f, "mutates({it}) ")?,
            OutputKind::AliasesParam(it, offset) => write_alias(f, "param", *it, offset)?,
            OutputKind::AliasesOutput(it, offset) => write_alias(f, "output", *it, offset)?,
            OutputKind::Result => f.write_str("result ")?,
        }
        write_str(f, &output.name)?;
        writeln!(f, " {value} : {}", output.ty)?;
    }
    f.write_str("}\n")
}

fn write_alias(f: &mut String, of: &str, index: usize, offset: &Expr) -> fmt::Result {
    match offset.as_int() {
        Some(0) => write!(f, "aliases_{of}({index}) "),
        _ => write!(f, "aliases_{of}({index}, {offset}) "),
    }
}

fn indent(f: &mut String, depth: usize) {
    for _ in 0..depth {
        f.push_str("  ");
    }
}

fn write_op(f: &mut String, body: &Body, op: &Op, depth: usize) -> fmt::Result {
    indent(f, depth);
    let Op { def, args, attrs, regions, first_result: _, results, origin: _ } = op;
    for (i, value) in op.results().enumerate() {
        write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
    }
    if *results != 0 {
        f.write_str(" = ")?;
    }
    f.write_str(def.0.name)?;
    for (i, arg) in args.iter().enumerate() {
        f.write_str(if i == 0 { " " } else { ", " })?;
        write_arg(f, arg)?;
    }
    let mut given = def.0.attrs.iter().zip(attrs).filter(|it| *it.1 != Attr::None).peekable();
    if given.peek().is_some() {
        f.write_str(" {")?;
        for (i, (def, attr)) in given.enumerate() {
            write!(f, "{}{} = {attr}", if i == 0 { "" } else { ", " }, def.name)?;
        }
        f.write_str("}")?;
    }
    if *results != 0 {
        f.write_str(" : ")?;
        for (i, value) in op.results().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, body.ty(value))?;
        }
    }
    for region in regions {
        f.write_str(" {\n")?;
        write_region(f, body, region, depth + 1)?;
        indent(f, depth);
        f.write_str("}")?;
    }
    f.write_str("\n")
}

fn write_region(f: &mut String, body: &Body, region: &Region, depth: usize) -> fmt::Result {
    let Region { params, ops, yields } = region;
    if !params.is_empty() {
        indent(f, depth);
        for (i, it) in params.iter().enumerate() {
            write!(f, "{}{it} : {}", if i == 0 { "^ " } else { ", " }, body.ty(*it))?;
        }
        f.write_str("\n")?;
    }
    for op in ops {
        write_op(f, body, op, depth)?;
    }
    if !yields.is_empty() {
        indent(f, depth);
        f.write_str("yield ")?;
        write_values(f, yields)?;
        f.write_str("\n")?;
    }
    Ok(())
}

fn write_values(f: &mut String, values: &[ValueId]) -> fmt::Result {
    for (i, it) in values.iter().enumerate() {
        write!(f, "{}{it}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn write_arg(f: &mut String, arg: &Arg) -> fmt::Result {
    match arg {
        Arg::Value(it) => write!(f, "{it}"),
        Arg::None => f.write_str("_"),
        Arg::List(it) => {
            f.write_str("[")?;
            for (i, entry) in it.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                match entry {
                    Some(it) => write!(f, "{it}")?,
                    None => f.write_str("_")?,
                }
            }
            f.write_str("]")
        }
    }
}
