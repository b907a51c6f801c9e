//! The list of dialects.

use std::sync::LazyLock;

use ir::OpRef;

/// A dialect.
pub struct Dialect {
    /// Its name, which its ops' names start with.
    pub name: &'static str,
    /// What it says, in one line.
    pub summary: &'static str,
    /// Its ops, in the order they are declared.
    pub ops: Vec<OpRef>,
}

/// Every dialect, from the exporter's to the printer's.
pub fn dialects() -> &'static [Dialect] {
    static ALL: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
        vec![
            Dialect { name: "aten", summary: "What the exporter wrote.", ops: aten::ops() },
            Dialect { name: "tensor", summary: "Values, without memory.", ops: tensor::ops() },
            Dialect { name: "loops", summary: "Kernels over memory.", ops: loops::ops() },
            Dialect { name: "wrapper", summary: "The host program.", ops: wrapper::ops() },
        ]
    });
    &ALL
}

/// Every op: what IR text is read with.
pub fn ops() -> &'static [OpRef] {
    static ALL: LazyLock<Vec<OpRef>> =
        LazyLock::new(|| dialects().iter().flat_map(|it| it.ops.iter().copied()).collect());
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_are_named_after_their_dialect_and_once() {
        for dialect in dialects() {
            assert!(!dialect.ops.is_empty(), "{} has no ops", dialect.name);
            for op in &dialect.ops {
                assert_eq!(op.0.dialect(), dialect.name, "{}", op.0.name);
            }
        }
        let mut names: Vec<_> = ops().iter().map(|it| it.0.name).collect();
        names.sort_unstable();
        assert_eq!(names.windows(2).find(|it| it[0] == it[1]), None);
    }
}
