//! Symbolic sizes: reading them, checking their names, and what the archive knows of them.

use diag::{Diag, codes};
use sym::{Expr, Facts, Range};

use super::{Importer, Making, OriginInfo, graph::message};
use crate::{
    guards::{self, Of},
    schema::{
        Argument, Graph, Map, SymBool, SymBoolArgument, SymExpr, SymFloat, SymInt, SymIntArgument,
    },
};

/// Expressions that were read, by their text: archives repeat few of them very often.
#[derive(Default)]
pub(super) struct Symbols {
    read: Map<Expr>,
}

/// Whether the exporter gives symbols such names. They become identifiers in C++, beside others
/// that printers and passes choose: so no name but these will do.
fn is_symbol(name: &str) -> bool {
    ["s", "u", "zf", "zuf"].into_iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|it| {
            !it.is_empty() && it.len() <= 20 && it.bytes().all(|it| it.is_ascii_digit())
        })
    })
}

impl Importer<'_> {
    /// An expression; [`Expr::undefined`] where it was reported.
    pub(super) fn expr(&mut self, it: &SymExpr) -> Expr {
        if let Some(it) = self.symbols.read.get(&it.expr_str) {
            return it.clone();
        }
        let expr = match sym::parse_srepr(&it.expr_str) {
            Ok(expr) => match expr.symbols().iter().find(|it| !is_symbol(it)) {
                None => expr,
                Some(name) => {
                    let message = format!("`{}` is not the name of a symbol", name.escape_debug());
                    self.diags.push(Diag::error(&codes::SIZE_EXPRESSION, message));
                    Expr::undefined()
                }
            },
            Err(error) => {
                let text: String = it.expr_str.chars().take(200).collect();
                let message = format!("`{}`: {error}", text.escape_debug());
                self.diags.push(Diag::error(&codes::SIZE_EXPRESSION, message));
                Expr::undefined()
            }
        };
        self.symbols.read.insert(it.expr_str.clone(), expr.clone());
        expr
    }

    pub(super) fn size(&mut self, it: &SymInt) -> Expr {
        match it {
            SymInt::Int(it) => Expr::int(*it),
            SymInt::Expr(it) => self.expr(it),
        }
    }

    fn missing_symbol(&mut self, name: &str) -> Expr {
        self.schema_error(format!("nothing defines the symbolic value `{}`", name.escape_debug()));
        Expr::undefined()
    }

    pub(super) fn named_int(&mut self, graph: &Graph, name: &str) -> Expr {
        match graph.sym_int_values.get(name) {
            Some(it) => self.size(it),
            None => self.missing_symbol(name),
        }
    }

    pub(super) fn named_float(&mut self, graph: &Graph, name: &str) -> Expr {
        match graph.sym_float_values.get(name) {
            Some(SymFloat::Float(it)) => Expr::float(*it),
            Some(SymFloat::Expr(it)) => self.expr(it),
            None => self.missing_symbol(name),
        }
    }

    pub(super) fn named_bool(&mut self, graph: &Graph, name: &str) -> Expr {
        match graph.sym_bool_values.get(name) {
            Some(SymBool::Bool(it)) => Expr::int(i64::from(*it)),
            Some(SymBool::Expr(it)) => self.expr(it),
            None => self.missing_symbol(name),
        }
    }

    pub(super) fn sym_int(&mut self, graph: &Graph, it: &SymIntArgument) -> Expr {
        match it {
            SymIntArgument::Int(it) => Expr::int(*it),
            SymIntArgument::Name(it) => self.named_int(graph, it),
        }
    }

    pub(super) fn sym_bool(&mut self, graph: &Graph, it: &SymBoolArgument) -> Expr {
        match it {
            SymBoolArgument::Bool(it) => Expr::int(i64::from(*it)),
            SymBoolArgument::Name(it) => self.named_bool(graph, it),
        }
    }

    /// The bounds that the archive states.
    pub(super) fn ranges(&mut self) -> Facts {
        let mut facts = Facts::default();
        let mut derived = Vec::new();
        for (name, it) in &self.program.range_constraints {
            let (lo, hi) = (it.min_val.unwrap_or(i64::MIN), it.max_val.unwrap_or(i64::MAX));
            if !is_symbol(name) {
                // A derived dimension: the bounds are those of an expression such as `2*s0`.
                match sym::parse(name) {
                    Ok(expr) if expr.symbols().iter().all(|it| is_symbol(it)) => {
                        derived.push((expr, Range { lo, hi }));
                    }
                    _ => {
                        let message =
                            format!("`{}` bounds no size that is known", name.escape_debug());
                        self.diags.push(Diag::error(&codes::SIZE_EXPRESSION, message));
                    }
                }
                continue;
            }
            facts.set_range(name, Range { lo, hi });
        }
        for (expr, Range { lo, hi }) in derived {
            if lo != i64::MIN {
                facts.assume_ge0(&(expr.clone() - Expr::int(lo)));
            }
            if hi != i64::MAX {
                facts.assume_ge0(&(Expr::int(hi) - expr));
            }
        }
        facts
    }

    /// A size is never negative, whether or not the archive says so.
    pub(super) fn size_facts(&mut self, graph: &Graph, facts: &mut Facts) {
        for meta in graph.tensor_values.values() {
            for it in &meta.sizes {
                let SymInt::Expr(it) = it else { continue };
                let size = self.expr(it);
                match size.as_sym() {
                    Some(name) => {
                        let known = facts.range_of_sym(name);
                        facts.set_range(name, known.intersection(Range::at_least(0)));
                    }
                    None => facts.assume_ge0(&size),
                }
            }
        }
    }

    /// The archive's guards hold wherever the program goes on: those that the ranges don't imply
    /// are checked when it starts.
    pub(super) fn guard_facts(&mut self, graph: &Graph, facts: &mut Facts) {
        let program = self.program;
        for text in &program.guards_code {
            let mut input = |name: &str, of: Of| self.of_input(graph, name, &of);
            let Some(cond) = guards::parse(text, &mut input) else { continue };
            if sym::simplify(&cond, facts).as_int().is_some_and(|it| it != 0) {
                continue;
            }
            facts.assume(&cond);
            // A bound of one symbol became its range, which is checked where it is defined.
            if sym::simplify(&cond, &facts.ranges_alone()).as_int().is_none_or(|it| it == 0) {
                let message = format!("the model was exported for {}", guards::shown(text));
                self.guards.push((cond, message));
            }
        }
    }

    fn of_input(&mut self, graph: &Graph, name: &str, of: &Of) -> Option<Expr> {
        let meta = graph.tensor_values.get(name);
        let size = match of {
            Of::Value => graph.sym_int_values.get(name),
            Of::Size(dim) => meta?.sizes.get(*dim),
            Of::Stride(dim) => meta?.strides.get(*dim),
        };
        Some(self.size(size?)).filter(|it| !it.is_undefined())
    }

    /// Checks the guards where the program starts.
    pub(super) fn guards(&mut self, making: &mut Making<'_>) {
        for (cond, message) in std::mem::take(&mut self.guards) {
            making.start(OriginInfo::default());
            let made = aten::AssertScalar::build(&mut making.builder, cond, message);
            let _reported = self.built(made);
        }
    }

    /// What the program asserts of symbols holds wherever it goes on.
    pub(super) fn asserted_facts(&mut self, graph: &Graph, facts: &mut Facts) {
        // The relations by the name of their truth.
        let mut relations: Map<Relation> = Map::default();
        for node in &graph.nodes {
            if let Some(relation) = node.target.strip_prefix("_operator.") {
                let (Some(Argument::SymBool(SymBoolArgument::Name(name))), [a, b]) =
                    (node.outputs.first(), node.inputs.as_slice())
                else {
                    continue;
                };
                if let (Some(a), Some(b)) = (self.side(graph, &a.arg), self.side(graph, &b.arg)) {
                    relations.insert(name.clone(), Relation { kind: relation.to_owned(), a, b });
                }
                continue;
            }
            let arg = |name: &str| node.inputs.iter().find(|it| it.name == name).map(|it| &it.arg);
            match node.target.as_str() {
                "torch.ops.aten._assert_scalar.default" => {
                    if let Some(Argument::SymBool(SymBoolArgument::Name(name))) = arg("self")
                        && let Some(it) = relations.get(name)
                    {
                        it.assume(facts);
                        // A bound of one symbol is checked where the symbol gets its value.
                        if let Some(symbol) = it.bounded() {
                            facts.add_note(symbol, &message(node));
                        }
                    }
                }
                "torch.ops.aten.sym_constrain_range.default"
                | "torch.ops.aten.sym_constrain_range_for_size.default" => {
                    let Some(size) = arg("size").and_then(|it| self.side(graph, it)) else {
                        continue;
                    };
                    if let Some(Argument::Int(min)) = arg("min") {
                        facts.assume_le(&Expr::int(*min), &size);
                    }
                    if let Some(Argument::Int(max)) = arg("max") {
                        facts.assume_le(&size, &Expr::int(*max));
                    }
                    if node.target.ends_with("for_size.default") {
                        facts.assume_ge0(&size);
                    }
                }
                _ => (),
            }
        }
    }

    /// One side of a relation, where it is an integer.
    fn side(&mut self, graph: &Graph, it: &Argument) -> Option<Expr> {
        let res = match it {
            Argument::Int(it) => Expr::int(*it),
            Argument::SymInt(it) => self.sym_int(graph, it),
            _ => return None,
        };
        (!res.is_undefined() && !res.is_real()).then_some(res)
    }
}

/// A relation between two integers, by the name that Python's `operator` gives it.
struct Relation {
    kind: String,
    a: Expr,
    b: Expr,
}

impl Relation {
    /// The symbol that it compares with a number.
    fn bounded(&self) -> Option<&str> {
        match (self.a.as_sym(), self.b.as_sym()) {
            (Some(it), None) if self.b.as_int().is_some() => Some(it),
            (None, Some(it)) if self.a.as_int().is_some() => Some(it),
            _ => None,
        }
    }

    fn assume(&self, facts: &mut Facts) {
        let Relation { kind, a, b } = self;
        let one = Expr::int(1);
        match kind.as_str() {
            "le" => facts.assume_le(a, b),
            "ge" => facts.assume_le(b, a),
            "lt" => facts.assume_le(&(a.clone() + one), b),
            "gt" => facts.assume_le(&(b.clone() + one), a),
            "eq" => facts.assume_eq(a, b),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_symbol;

    #[test]
    fn symbols_are_letters_and_digits() {
        assert!(is_symbol("s77") && is_symbol("u0") && is_symbol("zuf12"));
        for it in ["", "s", "7", "s0x", "S0", "s_0", "s0;", "ſ0"] {
            assert!(!is_symbol(it), "{it}");
        }
    }
}
