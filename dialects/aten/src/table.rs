//! The table of operators: each line becomes a definition when it is first asked for.

use std::sync::OnceLock;

use ir::{
    Alias, AttrDef, Diag, Effects, OpDef, OpRef, OperandDef, Result, ResultCount, Type, View,
};

use crate::schema::{ArgTy, Schema};

/// The lines, sorted by name. `cargo test -p aten` checks that.
static LINES: &str = include_str!("schemas.txt");

struct Entry {
    name: &'static str,
    line: &'static str,
    made: OnceLock<Option<(OpRef, &'static Schema)>>,
}

fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let line = |line: &'static str| {
            let name = line.split('(').next().unwrap_or(line);
            Entry { name, line, made: OnceLock::new() }
        };
        LINES.lines().map(line).collect()
    })
}

fn entry(name: &str) -> Option<(OpRef, &'static Schema)> {
    let name = name.strip_suffix(".default").unwrap_or(name);
    let entries = entries();
    let at = entries.binary_search_by(|it| it.name.cmp(name)).ok()?;
    *entries[at].made.get_or_init(|| make(at + 1, entries[at].line))
}

/// The operator of that name and overload: `add.Tensor`, `relu` or `relu.default`.
pub fn lookup(name: &str) -> Option<OpRef> {
    entry(name).map(|it| it.0)
}

/// The schema of an operator; none for those of [`crate::ops`].
pub fn schema(op: OpRef) -> Option<&'static Schema> {
    entry(op.0.name.strip_prefix("aten.")?).map(|it| it.1)
}

/// Every operator of the dialect.
pub fn ops() -> Vec<OpRef> {
    let with_schema = entries().iter().filter_map(|it| lookup(it.name));
    crate::ops::OPS.iter().map(|it| it()).chain(with_schema).collect()
}

/// The definition and the schema live as long as the process: at most one of each line.
fn make(number: usize, line: &'static str) -> Option<(OpRef, &'static Schema)> {
    let schema: &'static Schema = Box::leak(Box::new(Schema::parse(line)?));
    let mut operands = Vec::new();
    let mut attrs = Vec::new();
    for arg in &schema.args {
        match arg.ty {
            ArgTy::Tensor => {
                operands.push(OperandDef { name: &arg.name, kind: arg.operand_kind() });
            }
            _ => attrs.push(AttrDef {
                name: &arg.name,
                kind: arg.attr_kind(),
                optional: arg.optional,
            }),
        }
    }
    let writes = schema.written().next().is_some();
    // What gives nothing is called for what it does.
    let acts = writes || schema.returns.is_empty();
    let aliases = writes || schema.returns.iter().any(|it| it.alias.is_some());
    let def = OpDef {
        results: ResultCount::Stated,
        alias: if aliases { Alias::BySchema } else { Alias::Fresh },
        place: ("dialects/aten/src/schemas.txt", u32::try_from(number).unwrap_or(0)),
        ..OpDef::new(
            Box::leak(format!("aten.{}", schema.name).into_boxed_str()),
            line,
            Box::leak(operands.into_boxed_slice()),
            Box::leak(attrs.into_boxed_slice()),
            stated,
            if acts { Effects::Writes } else { Effects::Pure },
        )
    };
    Some((OpRef(Box::leak(Box::new(def))), schema))
}

/// The exporter says the types; nothing is inferred at this level.
fn stated(view: View<'_>) -> Result<Vec<Type>> {
    Err(Diag::error(
        &diag::codes::OP,
        format!("{}: result types of aten are stated", view.op.def.0.name),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_schema_and_lines_are_sorted() {
        assert!(entries().is_sorted_by(|a, b| a.name < b.name));
        for it in entries() {
            assert!(lookup(it.name).is_some(), "{}", it.line);
        }
    }

    #[test]
    fn overloads_without_a_name_are_found_as_default() {
        let add = lookup("add_.Tensor").unwrap();
        assert_eq!(add.0.name, "aten.add_.Tensor");
        assert_eq!(add.0.effects, Effects::Writes);
        assert_eq!(lookup("relu.default"), lookup("relu"));
        assert!(lookup("no_such_operator").is_none());
    }
}
