//! Types of results.

use ir::{Result, Type, View};

pub(crate) fn nothing(_: View<'_>) -> Result<Vec<Type>> {
    Ok(Vec::new())
}

pub(crate) fn arena(_: View<'_>) -> Result<Vec<Type>> {
    Ok(vec![Type::Arena])
}

pub(crate) fn same(view: View<'_>) -> Result<Vec<Type>> {
    Ok(vec![view.ty(view.operand("x")).clone()])
}

/// The type that the attribute `ty` gives: a tensor with strides.
pub(crate) fn typed(view: View<'_>) -> Result<Vec<Type>> {
    let ty: Type = view.attr("ty");
    match ty.as_tensor().is_some_and(|it| it.strides.is_some()) {
        true => Ok(vec![ty]),
        false => Err(view.error(format!("{ty} is not a tensor type with strides"))),
    }
}
