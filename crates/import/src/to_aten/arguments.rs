//! Arguments: from the archive's unions to operands and attributes as the schema wants them.

use aten::{ArgTy, SchemaArg};
use diag::{Diag, codes};
use ir::{Arg, Attr, AttrKind, AttrTy as _, DType, Number, OpRef, TensorType, Type, ValueId};
use sym::Expr;

use super::{Importer, Making, Scope};
use crate::schema::{
    Argument, Layout, MemoryFormat, OptionalTensorArgument, ScalarType, SymBoolArgument,
    SymFloatArgument, SymIntArgument,
};

/// The dtype; none where the IR has none for it.
pub(super) fn dtype(it: ScalarType) -> Option<DType> {
    Some(match it {
        ScalarType::Bool => DType::Bool,
        ScalarType::U8 => DType::U8,
        ScalarType::I8 => DType::I8,
        ScalarType::I16 => DType::I16,
        ScalarType::U16 => DType::U16,
        ScalarType::I32 => DType::I32,
        ScalarType::U32 => DType::U32,
        ScalarType::I64 => DType::I64,
        ScalarType::U64 => DType::U64,
        ScalarType::F16 => DType::F16,
        ScalarType::BF16 => DType::BF16,
        ScalarType::F32 => DType::F32,
        ScalarType::F64 => DType::F64,
        ScalarType::C32 => DType::C32,
        ScalarType::C64 => DType::C64,
        ScalarType::C128 => DType::C128,
        ScalarType::F8E4M3FN
        | ScalarType::F8E5M2
        | ScalarType::F8E4M3FNUZ
        | ScalarType::F8E5M2FNUZ
        | ScalarType::F8E8M0FNU => return None,
    })
}

/// Why an argument was not taken.
pub(super) enum Refusal {
    /// It, or what it depends on, was reported already.
    Reported,
    /// It is not what the schema says.
    Unfit,
}

type Taken<T> = Result<T, Refusal>;

/// An operator that the importer adds, with one attribute said and the schema's defaults of the rest.
pub(super) fn with_defaults(
    name: &str,
    (said, value): (&str, Attr),
) -> Result<(OpRef, Vec<Attr>), Refusal> {
    let op = aten::lookup(name).ok_or(Refusal::Unfit)?;
    let schema = aten::schema(op).ok_or(Refusal::Unfit)?;
    let attrs = schema.args.iter().filter(|it| it.ty != aten::ArgTy::Tensor);
    let attrs = attrs.map(|it| match it.name == said {
        true => value.clone(),
        false => it.default.clone().unwrap_or(Attr::None),
    });
    Ok((op, attrs.collect()))
}

impl<'p> Importer<'p> {
    /// The value of that name.
    pub(super) fn value(&mut self, scope: &Scope<'p>, name: &str) -> Taken<ValueId> {
        match scope.values.get(name) {
            Some(Some(it)) => Ok(*it),
            Some(None) => Err(Refusal::Reported),
            None => {
                self.schema_error(format!("nothing defines the tensor `{}`", name.escape_debug()));
                Err(Refusal::Reported)
            }
        }
    }

    /// An argument that the schema calls a tensor or a list of them.
    pub(super) fn operand(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        it: &'p Argument,
    ) -> Taken<Arg> {
        Ok(match it {
            Argument::None(_) => Arg::None,
            Argument::Tensor(it) => Arg::Value(self.value(scope, &it.name)?),
            Argument::OptionalTensor(it) => match self.optional(scope, it)? {
                Some(it) => Arg::Value(it),
                None => Arg::None,
            },
            Argument::Tensors(it) => Arg::List(
                it.iter().map(|it| self.value(scope, &it.name).map(Some)).collect::<Taken<_>>()?,
            ),
            Argument::OptionalTensors(it) => {
                Arg::List(it.iter().map(|it| self.optional(scope, it)).collect::<Taken<_>>()?)
            }
            Argument::Ints(it) if it.is_empty() => Arg::List(Vec::new()),
            it => Arg::Value(self.number_tensor(making, scope, it)?),
        })
    }

    fn optional(
        &mut self,
        scope: &Scope<'p>,
        it: &OptionalTensorArgument,
    ) -> Taken<Option<ValueId>> {
        match it {
            OptionalTensorArgument::Tensor(it) => self.value(scope, &it.name).map(Some),
            OptionalTensorArgument::None(_) => Ok(None),
        }
    }

    /// A Python number where a tensor is expected.
    fn number_tensor(
        &mut self,
        making: &mut Making<'_>,
        scope: &Scope<'p>,
        it: &'p Argument,
    ) -> Taken<ValueId> {
        let attr = self.one(scope, it)?;
        let number = Number::of_attr(&attr).ok_or(Refusal::Unfit)?;
        let dtype = number_dtype(&number, it);
        let ty = Type::Tensor(TensorType::contiguous(dtype, Vec::new()));
        let made = making.builder.push_stated(
            aten::MakeTensor::def(),
            [],
            vec![number.to_attr()],
            Some(vec![ty]),
        );
        match made.as_deref() {
            Ok([it]) => Ok(*it),
            _ => Err(Refusal::Unfit),
        }
    }

    /// An argument that the schema calls anything but a tensor.
    pub(super) fn attribute(
        &mut self,
        scope: &Scope<'p>,
        arg: &SchemaArg,
        it: &'p Argument,
    ) -> Taken<Attr> {
        let attr = match it {
            Argument::None(_) => Attr::None,
            Argument::Ints(it) => list(it, |it| Attr::Size(Expr::int(*it))),
            Argument::Floats(it) => list(it, |it| Attr::Number(Number::Float(*it))),
            Argument::Bools(it) => list(it, |it| Attr::Bool(*it)),
            Argument::Strings(it) => list(it, |it| Attr::Str(it.clone())),
            Argument::SymInts(it) => list(it, |it| Attr::Size(self.sym_int(scope.graph, it))),
            Argument::SymFloats(it) => list(it, |it| self.sym_float(scope, it)),
            Argument::SymBools(it) => list(it, |it| self.truth(scope, it)),
            Argument::Tensors(it) if it.is_empty() => Attr::List(Vec::new()),
            it => self.one(scope, it)?,
        };
        if mentions_undefined(&attr) {
            return Err(Refusal::Reported);
        }
        let attr = coerce(arg, attr);
        let fits = match &attr {
            Attr::None => arg.optional,
            it => arg.attr_kind().admits(it),
        };
        if fits { Ok(attr) } else { Err(Refusal::Unfit) }
    }

    fn sym_float(&mut self, scope: &Scope<'p>, it: &SymFloatArgument) -> Attr {
        match it {
            SymFloatArgument::Float(it) => Attr::Number(Number::Float(*it)),
            SymFloatArgument::Name(it) => Attr::Size(self.named_float(scope.graph, it)),
        }
    }

    fn truth(&mut self, scope: &Scope<'p>, it: &SymBoolArgument) -> Attr {
        match it {
            SymBoolArgument::Bool(it) => Attr::Bool(*it),
            SymBoolArgument::Name(it) => {
                let truth = self.named_bool(scope.graph, it);
                truth.as_int().map_or(Attr::Size(truth), |it| Attr::Bool(it != 0))
            }
        }
    }

    /// An argument that is no list.
    pub(super) fn one(&mut self, scope: &Scope<'p>, it: &'p Argument) -> Taken<Attr> {
        Ok(match it {
            Argument::Int(it) => Attr::Size(Expr::int(*it)),
            Argument::SymInt(it) => Attr::Size(self.sym_int(scope.graph, it)),
            Argument::Float(it) => Attr::Number(Number::Float(*it)),
            Argument::SymFloat(it) => self.sym_float(scope, it),
            Argument::Complex(it) => Attr::Number(Number::Complex(it.real, it.imag)),
            Argument::Bool(it) => Attr::Bool(*it),
            Argument::SymBool(it) => self.truth(scope, it),
            Argument::String(it) => Attr::Str(it.clone()),
            Argument::ScalarType(it) => match dtype(*it) {
                Some(it) => Attr::DType(it),
                None => {
                    let message = format!("`dtype {it}` is not supported");
                    self.diags.push(Diag::error(&codes::UNSUPPORTED, message));
                    return Err(Refusal::Reported);
                }
            },
            Argument::Layout(Layout::Strided) => Attr::Str("strided".to_owned()),
            Argument::MemoryFormat(it) => Attr::Str(memory_format(*it).to_owned()),
            Argument::Device(it) => Attr::Str(it.kind.clone()),
            _ => return Err(Refusal::Unfit),
        })
    }
}

fn list<T>(items: &[T], attr: impl FnMut(&T) -> Attr) -> Attr {
    Attr::List(items.iter().map(attr).collect())
}

fn memory_format(it: MemoryFormat) -> &'static str {
    match it {
        MemoryFormat::Unknown | MemoryFormat::Preserve => "preserve_format",
        MemoryFormat::Contiguous => "contiguous_format",
        MemoryFormat::ChannelsLast => "channels_last",
        MemoryFormat::ChannelsLast3d => "channels_last_3d",
    }
}

/// What Python's number becomes as a tensor.
fn number_dtype(number: &Number, it: &Argument) -> DType {
    match number {
        Number::Bool(_) => DType::Bool,
        Number::Int(it) if it.is_real() => DType::F64,
        Number::Int(_) if matches!(it, Argument::SymBool(SymBoolArgument::Name(_))) => DType::Bool,
        Number::Int(_) => DType::I64,
        Number::Float(_) => DType::F64,
        Number::Complex(..) => DType::C128,
    }
}

fn mentions_undefined(attr: &Attr) -> bool {
    let mut found = false;
    attr.for_each_expr(&mut |it| found |= it.is_undefined());
    found
}

/// Python gives an integer where a float is asked for, and one number for a list of them.
fn coerce(arg: &SchemaArg, attr: Attr) -> Attr {
    match attr {
        Attr::List(it) => Attr::List(it.into_iter().map(|it| coerce_one(arg.ty, it)).collect()),
        Attr::None => Attr::None,
        it if arg.list && arg.attr_kind() != AttrKind::Any => {
            Attr::List(vec![coerce_one(arg.ty, it); arg.list_len.unwrap_or(1)])
        }
        it => coerce_one(arg.ty, it),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Python's float(int)")]
fn coerce_one(ty: ArgTy, attr: Attr) -> Attr {
    match (ty, &attr) {
        (ArgTy::Float, Attr::Size(it)) => match it.as_number() {
            Some(sym::Number::Int(it)) => Attr::Number(Number::Float(it as f64)),
            Some(sym::Number::Float(it)) => Attr::Number(Number::Float(it)),
            None => attr,
        },
        (ArgTy::Float, Attr::Bool(it)) => Attr::Number(Number::Float(f64::from(u8::from(*it)))),
        (ArgTy::Int, Attr::Bool(it)) => Attr::Size(Expr::int(i64::from(*it))),
        (ArgTy::Scalar, Attr::Size(it)) => match it.as_number() {
            Some(sym::Number::Float(it)) => Attr::Number(Number::Float(it)),
            _ => attr,
        },
        _ => attr,
    }
}

/// The name of a symbolic value that a node defines.
pub(super) fn symbolic_name(it: &Argument) -> Option<&str> {
    match it {
        Argument::SymInt(SymIntArgument::Name(it))
        | Argument::SymFloat(SymFloatArgument::Name(it))
        | Argument::SymBool(SymBoolArgument::Name(it)) => Some(it),
        _ => None,
    }
}
