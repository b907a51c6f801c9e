//! One operator per scalar function, element by element.

use ir::{
    Builder, OpDef, OpRef, Result, Type, ValueId, View, for_each_scalar_fn, scalar::ScalarFn,
};

use crate::shape::same_shape;

/// The operators, one per row of the table in `ir::scalar`.
pub(crate) mod ops {
    use super::*;
    use ir::Effects;

    macro_rules! declare {
        ($($Fn:ident $name:literal ($($operand:ident),+) $domain:ident $rule:ident $commutes:ident $doc:literal;)+) => {
            ir::dialect! { tensor; $(
                #[doc = $doc]
                #[doc = " Element by element."]
                #[doc = " C1: operands have one shape. C2: dtypes are those the function is defined on."]
                op $Fn = $name ($([$operand]),+) {} {
                    infer: super::infer,
                    effects: Effects::Pure,
                    commutative: $commutes,
                    scalar: Some(ScalarFn::$Fn),
                    eval: Some(crate::eval::pointwise),
                }
            )+ }
        };
    }
    for_each_scalar_fn!(declare);
}

/// The operator that applies `function` element by element.
pub fn pointwise_def(function: ScalarFn) -> OpRef {
    ops::OPS[function as usize]()
}

/// Appends the operator that applies `function` element by element.
pub fn pointwise(
    builder: &mut Builder<'_>,
    function: ScalarFn,
    operands: &[ValueId],
) -> Result<ValueId> {
    builder.push1(pointwise_def(function), operands.iter().map(|it| (*it).into()), Vec::new())
}

fn function(def: &OpDef) -> ScalarFn {
    def.scalar.expect("every operator of this table has its function")
}

fn infer(view: View<'_>) -> Result<Vec<Type>> {
    let tensors = view.op.operands().map(|it| view.tensor(it)).collect::<Result<Vec<_>>>()?;
    let first = tensors[0];
    for it in &tensors[1..] {
        if !same_shape(&first.shape, &it.shape, view.facts) {
            return Err(view.error(format!("C1: shapes differ: {first} and {it}")));
        }
    }
    let dtypes: Vec<_> = tensors.iter().map(|it| it.dtype).collect();
    let dtype =
        function(view.op.def.0).result(&dtypes).map_err(|it| view.error(format!("C2: {it}")))?;
    Ok(vec![Type::tensor(dtype, first.shape.clone())])
}
