//! `dialect!`: one block declares an op.

/// Declares the ops of a dialect.
///
/// ```text
/// dialect! { tensor;
///     /// What it computes, with one example in an `ir` fence.
///     op Concat = "concat" (many xs) { dim: Int } {
///         infer: infer_concat, effects: Effects::Pure, eval: Some(eval_concat),
///     }
/// }
/// ```
/// An operand is `name`, `opt name`, `many name` or `many_opt name`; an attribute `name: Kind` or
/// `opt name: Kind`. `infer` and `effects` must be said; any other key is a field of
/// [`OpDef`](crate::OpDef) over its default.
/// Each block gives a view type with one accessor per operand and attribute, its definition
/// (`Concat::def()`), and an entry in `OPS`.
#[macro_export]
macro_rules! dialect {
    ($dialect:ident; $(
        $(#[doc = $doc:literal])+
        op $Op:ident = $name:literal
            ($($($okind:ident)? [$operand:ident]),* $(,)?)
            {$($attr:ident: $($akind:ident)+),* $(,)?}
            { infer: $infer:expr, effects: $effects:expr $(, $key:ident: $value:expr)* $(,)? }
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy)]
            pub struct $Op<'a>(pub $crate::View<'a>);

            #[allow(dead_code, missing_docs, reason = "generated accessors carry the operand's own name")]
            impl<'a> $Op<'a> {
                pub fn def() -> $crate::OpRef {
                    static DEF: $crate::OpDef = $crate::OpDef {
                        place: (file!(), line!()),
                        $($key: $value,)*
                        ..$crate::OpDef::new(
                            concat!(stringify!($dialect), ".", $name),
                            concat!($($doc, "\n"),+),
                            &[$($crate::OperandDef {
                                name: stringify!($operand),
                                kind: $crate::dialect!(@okind $($okind)?),
                            }),*],
                            &[$($crate::dialect!(@attr $attr, $($akind)+)),*],
                            $infer,
                            $effects,
                        )
                    };
                    $crate::OpRef(&DEF)
                }

                pub fn of(view: $crate::View<'a>) -> Option<$Op<'a>> {
                    (view.op.def == Self::def()).then_some($Op(view))
                }

                #[allow(clippy::too_many_arguments, reason = "as many as the op has")]
                pub fn build(
                    builder: &mut $crate::Builder<'_>,
                    $($operand: impl Into<$crate::Arg>,)*
                    $($attr: $crate::dialect!(@aty $($akind)+),)*
                ) -> $crate::Result<Vec<$crate::ValueId>> {
                    let attrs = vec![$($crate::AttrTy::to_attr($attr)),*];
                    builder.push(Self::def(), [$($operand.into()),*], attrs)
                }

                $($crate::dialect!{@accessor $operand $($okind)?})*

                $(pub fn $attr(self) -> $crate::dialect!(@aty $($akind)+) {
                    self.0.attr(stringify!($attr))
                })*
            }
        )+

        /// Every op of the dialect, in the order of the table.
        pub static OPS: &[fn() -> $crate::OpRef] = &[$($Op::def),+];
    };

    (@okind) => { $crate::OperandKind::One };
    (@okind opt) => { $crate::OperandKind::Optional };
    (@okind many) => { $crate::OperandKind::Many };
    (@okind many_opt) => { $crate::OperandKind::ManyOptional };

    (@attr $attr:ident, opt $kind:ident) => {
        $crate::AttrDef { name: stringify!($attr), kind: $crate::AttrKind::$kind, optional: true }
    };
    (@attr $attr:ident, $kind:ident) => {
        $crate::AttrDef { name: stringify!($attr), kind: $crate::AttrKind::$kind, optional: false }
    };

    (@aty opt $kind:ident) => { Option<$crate::attr_ty::$kind> };
    (@aty $kind:ident) => { $crate::attr_ty::$kind };

    (@accessor $operand:ident) => {
        pub fn $operand(self) -> $crate::ValueId {
            self.0.operand(stringify!($operand))
        }
    };
    (@accessor $operand:ident opt) => {
        pub fn $operand(self) -> Option<$crate::ValueId> {
            self.0.optional(stringify!($operand))
        }
    };
    (@accessor $operand:ident many) => {
        pub fn $operand(self) -> Vec<$crate::ValueId> {
            self.0.list(stringify!($operand))
        }
    };
    (@accessor $operand:ident many_opt) => {
        pub fn $operand(self) -> Vec<Option<$crate::ValueId>> {
            match self.0.arg(stringify!($operand)) {
                $crate::Arg::List(it) => it.clone(),
                $crate::Arg::Value(_) | $crate::Arg::None => Vec::new(),
            }
        }
    };
}
