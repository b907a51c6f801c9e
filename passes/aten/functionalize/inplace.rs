//! Operators that write: each has a twin that gives what it would have written.

use aten::{Schema, Slot};
use ir::{Arg, Attr, AttrTy as _, DType, Op, OpRef, Type, ValueId, View};

use super::{Functionalize, views::emit};
use crate::promote::{self, Category};

/// Operators that change how their operand is seen, and not what it holds.
const METADATA: &[(&str, &str)] = &[
    ("unsqueeze_", "unsqueeze"),
    ("squeeze_", "squeeze"),
    ("squeeze_.dim", "squeeze.dim"),
    ("squeeze_.dims", "squeeze.dims"),
    ("t_", "t"),
    ("transpose_", "transpose.int"),
    ("swapaxes_", "swapaxes"),
    ("swapdims_", "swapdims"),
    ("as_strided_", "as_strided"),
    ("detach_", "detach"),
];

/// Operators whose twin computes in the common dtype of its operands, while the write keeps the
/// dtype of what is written.
const PROMOTES: &[&str] = &[
    "add",
    "sub",
    "subtract",
    "mul",
    "multiply",
    "div",
    "divide",
    "true_divide",
    "floor_divide",
    "remainder",
    "fmod",
    "pow",
    "float_power",
    "atan2",
    "arctan2",
    "copysign",
    "xlogy",
    "addcmul",
    "addcdiv",
    "clamp",
    "clip",
    "clamp_min",
    "clamp_max",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "__and__",
    "__or__",
    "__xor__",
    "__lshift__",
    "__rshift__",
    "hypot",
    "nextafter",
    "ldexp",
];

/// Operators whose twin gives bools.
const TRUTHS: &[&str] = &[
    "eq",
    "ne",
    "not_equal",
    "lt",
    "less",
    "le",
    "less_equal",
    "gt",
    "greater",
    "ge",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
];

/// Twins whose overload has another name.
const IRREGULAR: &[(&str, &str)] = &[
    ("float_power_.Scalar", "float_power.Tensor_Scalar"),
    ("float_power_.Tensor", "float_power.Tensor_Tensor"),
    ("floor_divide_.Tensor", "floor_divide"),
    ("ldexp_", "ldexp.Tensor"),
    ("pow_.Scalar", "pow.Tensor_Scalar"),
    ("pow_.Tensor", "pow.Tensor_Tensor"),
];

/// The name of the functional twin.
fn twin_name(schema: &Schema) -> Option<String> {
    if let Some((_, twin)) = IRREGULAR.iter().find(|it| it.0 == schema.name) {
        return Some((*twin).to_owned());
    }
    let base = schema.base();
    let base = match base.strip_prefix("__i").and_then(|it| it.strip_suffix("__")) {
        Some(it) => format!("__{it}__"),
        None => base.strip_suffix('_')?.to_owned(),
    };
    Some(match schema.overload() {
        "" => base,
        overload => format!("{base}.{overload}"),
    })
}

/// Operators that write to statistics, marked or not, and their twins, whose last results are what
/// the arguments of these names become.
const STATISTICS: &[(&str, &str, &[&str])] = &[
    ("batch_norm", "_native_batch_norm_legit_functional", &["running_mean", "running_var"]),
    ("native_batch_norm", "_native_batch_norm_legit_functional", &["running_mean", "running_var"]),
    (
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_functional",
        &["running_mean", "running_var"],
    ),
    (
        "_batch_norm_with_update",
        "_batch_norm_with_update_functional",
        &["running_mean", "running_var"],
    ),
];

/// Whether an op writes to an operand.
pub(super) fn writes(view: View<'_>, schema: &Schema) -> bool {
    if schema.written().next().is_some() {
        return true;
    }
    let statistics = STATISTICS.iter().any(|it| it.0 == schema.name);
    statistics && {
        let given = |name: &str| view.arg(name).values().next().is_some();
        view.attr::<bool>("training") && given("running_mean") && given("running_var")
    }
}

impl<'a> Functionalize<'a> {
    /// An op that writes to some of its operands.
    pub(super) fn write_op(&mut self, op: &'a Op, schema: &'static Schema) -> ir::Result<()> {
        let name = schema.name.as_str();
        if let Some((_, twin, written)) = STATISTICS.iter().find(|it| it.0 == name) {
            return self.write_statistics(op, schema, twin, written);
        }
        let Some(written) = written_value(op, schema) else {
            self.unsupported.count(op.def.0.name, op.origin);
            return Ok(());
        };
        if let Some((_, twin)) = METADATA.iter().find(|it| it.0 == name) {
            return self.reshape_in_place(op, schema, twin, written);
        }
        if name == "dropout_" && !self.rw.view(op).attr::<bool>("train") {
            self.bind_results(op, written);
            return Ok(());
        }
        let Some(twin) = twin_name(schema).and_then(|it| aten::lookup(&it)) else {
            self.unsupported.count(op.def.0.name, op.origin);
            return Ok(());
        };
        let new = self.emit_twin(op, schema, twin, written)?;
        self.write(self.memory.node(written), new)?;
        self.bind_results(op, written);
        Ok(())
    }

    /// The results of an op that writes are what it wrote to.
    fn bind_results(&mut self, op: &Op, written: ValueId) {
        for it in op.results() {
            self.memory.same(it, written);
        }
    }

    /// The twin gives the op's own results first and the new statistics last.
    fn write_statistics(
        &mut self,
        op: &Op,
        schema: &Schema,
        twin: &str,
        written: &[&str],
    ) -> ir::Result<()> {
        let Some((twin, twin_schema)) =
            aten::lookup(twin).and_then(|it| Some((it, aten::schema(it)?)))
        else {
            self.unsupported.count(op.def.0.name, op.origin);
            return Ok(());
        };
        let (args, attrs) = self.twin_arguments(op, schema, twin)?;
        let targets: Vec<ValueId> =
            written.iter().flat_map(|it| self.rw.view(op).arg(it).values()).collect();
        let count = twin_schema.returns.len();
        let mut types = vec![Type::None; count];
        for (i, it) in op.results().enumerate() {
            types[i] = self.rw.old.body.ty(it).clone();
        }
        for (ty, it) in types[count - targets.len()..].iter_mut().zip(&targets) {
            *ty = self.rw.old.body.ty(*it).clone();
        }
        let made = self.rw.new.push_stated(twin, args, attrs, Some(types))?;
        for (old, new) in op.results().zip(&made) {
            self.own(old, *new);
        }
        for (target, new) in targets.iter().zip(&made[count - targets.len()..]) {
            self.write(self.memory.node(*target), *new)?;
        }
        Ok(())
    }

    /// The operands and attributes of the twin, by name.
    fn twin_arguments(
        &mut self,
        op: &Op,
        schema: &Schema,
        twin: OpRef,
    ) -> ir::Result<(Vec<Arg>, Vec<Attr>)> {
        let (mut args, mut attrs) = (Vec::new(), Vec::new());
        for arg in aten::schema(twin).map(|it| it.args.as_slice()).unwrap_or_default() {
            match (arg.slot, schema.arg(&arg.name).map(|it| it.slot)) {
                (Slot::Operand(_), Some(Slot::Operand(it))) => {
                    let given = &op.args[it];
                    for value in given.values() {
                        let now = self.read(value)?;
                        self.rw.set(value, now);
                    }
                    args.push(given.map(|it| self.rw.get(it)));
                }
                (Slot::Attr(_), Some(Slot::Attr(it))) => attrs.push(op.attrs[it].clone()),
                (Slot::Operand(_), _) if arg.list => args.push(Arg::List(Vec::new())),
                (Slot::Operand(_), _) => args.push(Arg::None),
                (Slot::Attr(_), _) => attrs.push(arg.default.clone().unwrap_or(Attr::None)),
            }
        }
        Ok((args, attrs))
    }

    /// What the twin gives, in the dtype of what is written.
    fn emit_twin(
        &mut self,
        op: &Op,
        schema: &Schema,
        twin: OpRef,
        written: ValueId,
    ) -> ir::Result<ValueId> {
        let (args, mut attrs) = self.twin_arguments(op, schema, twin)?;
        let kept = self.memory.ty(self.memory.node(written)).clone();
        let dtype = kept.dtype().unwrap_or(DType::F32);
        // Without a write, what nobody asked a dtype of may be wider than what it reads.
        let asked = aten::schema(twin).and_then(|it| it.arg("dtype")).map(|it| it.slot);
        if let Some(Slot::Attr(it)) = asked
            && attrs[it] == Attr::None
        {
            attrs[it] = dtype.to_attr();
        }
        let given = self.twin_dtype(op, schema, dtype);
        let mut ty = kept.clone();
        if let Type::Tensor(it) = &mut ty {
            it.dtype = given;
        }
        let made = self.rw.new.push_stated(twin, args, attrs, Some(vec![ty]))?;
        if given == dtype {
            return Ok(made[0]);
        }
        let attrs = [("dtype", dtype.to_attr())];
        emit(&mut self.rw, "to.dtype", vec![made[0].into()], &attrs, kept)
    }

    /// The dtype of the twin's result.
    fn twin_dtype(&self, op: &Op, schema: &Schema, dtype: DType) -> DType {
        let base = schema.base();
        let base = base.strip_suffix('_').unwrap_or(base);
        let base = base.strip_prefix("_i").map_or(base.to_owned(), |it| format!("__{it}_"));
        if TRUTHS.contains(&base.as_str()) {
            return DType::Bool;
        }
        if !PROMOTES.contains(&base.as_str()) {
            return dtype;
        }
        let made_of_number = |value: ValueId| {
            let ops = self.rw.old.body.ops();
            ops.iter().any(|it| it.def == aten::MakeTensor::def() && it.result() == value)
        };
        let mut operands = Vec::new();
        for value in op.operands() {
            let Some(ty) = self.rw.old.body.ty(value).as_tensor() else { continue };
            let (dtype, category) = match ty.rank() {
                0 if made_of_number(value) => match ty.dtype {
                    it if it.is_float() => (promote::DEFAULT_FLOAT, Category::Number),
                    it if it.is_complex() => (DType::C64, Category::Number),
                    it => (it, Category::Number),
                },
                0 => (ty.dtype, Category::ZeroDim),
                _ => (ty.dtype, Category::Tensor),
            };
            operands.push((dtype, category));
        }
        let view = self.rw.view(op);
        for name in ["other", "exponent", "min", "max"] {
            if let Some(Slot::Attr(it)) = schema.arg(name).map(|it| it.slot)
                && let Some(number) = ir::Number::of_attr(&view.op.attrs[it])
            {
                operands.push((promote::number_dtype(&number), Category::Number));
            }
        }
        let common = promote::result_type(&operands);
        let divides = matches!(base.as_str(), "div" | "divide" | "true_divide")
            && !schema.overload().ends_with("mode");
        if divides { promote::to_float(common) } else { common }
    }

    /// From here on the operand is seen as the result is.
    fn reshape_in_place(
        &mut self,
        op: &Op,
        schema: &Schema,
        twin: &str,
        written: ValueId,
    ) -> ir::Result<()> {
        let Some(result) = op.results().next() else { return Ok(()) };
        if twin == "detach" {
            self.memory.same(result, written);
            return Ok(());
        }
        let (Some(def), true) =
            (aten::lookup(twin), schema.args.len() == op.args.len() + op.attrs.len())
        else {
            self.unsupported.count(op.def.0.name, op.origin);
            return Ok(());
        };
        // The arguments of a twin are those of the op.
        self.take_view(Op { def, ..op.clone() }, written)?;
        self.memory.same(written, result);
        Ok(())
    }
}

/// The operand that an op writes to, where it is one.
fn written_value(op: &Op, schema: &Schema) -> Option<ValueId> {
    let mut written = schema.written();
    let (Some(only), None) = (written.next(), written.next()) else { return None };
    match only.slot {
        Slot::Operand(it) => match &op.args[it] {
            Arg::Value(it) => Some(*it),
            Arg::None | Arg::List(_) => None,
        },
        Slot::Attr(_) => None,
    }
}
