//! One operation per scalar function, on elements in registers.

use ir::{
    Builder, OpDef, OpRef, Result, Type, ValueId, View, for_each_scalar_fn, scalar::ScalarFn,
};

/// The operations, one per row of the table in `ir::scalar`.
pub(crate) mod ops {
    use super::*;
    use ir::Effects;

    macro_rules! declare {
        ($($Fn:ident $name:literal ($($operand:ident),+) $domain:ident $rule:ident $commutes:ident $doc:literal;)+) => {
            ir::dialect! { loops; $(
                #[doc = $doc]
                #[doc = " C1: dtypes are those the function is defined on."]
                op $Fn = $name ($([$operand]),+) {} {
                    infer: super::infer,
                    effects: Effects::Pure,
                    commutative: $commutes,
                    scalar: Some(ScalarFn::$Fn),
                    eval: Some(crate::eval::scalar),
                }
            )+ }
        };
    }
    for_each_scalar_fn!(declare);
}

/// The operation that applies `function`.
pub fn scalar_def(function: ScalarFn) -> OpRef {
    ops::OPS[function as usize]()
}

/// Appends the operation that applies `function`.
pub fn scalar(
    builder: &mut Builder<'_>,
    function: ScalarFn,
    operands: &[ValueId],
) -> Result<ValueId> {
    builder.push1(scalar_def(function), operands.iter().map(|it| (*it).into()), Vec::new())
}

fn function(def: &OpDef) -> ScalarFn {
    def.scalar.expect("every operation of this table has its function")
}

fn infer(view: View<'_>) -> Result<Vec<Type>> {
    let mut dtypes = Vec::new();
    for it in view.op.operands() {
        match view.ty(it) {
            Type::Scalar(it) => dtypes.push(*it),
            ty => return Err(view.error(format!("C1: {it} is {ty}, not a scalar"))),
        }
    }
    let dtype =
        function(view.op.def.0).result(&dtypes).map_err(|it| view.error(format!("C1: {it}")))?;
    Ok(vec![Type::Scalar(dtype)])
}
