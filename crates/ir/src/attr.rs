//! Attributes: what an op says besides its operands.

use std::fmt;

use sym::Expr;

use crate::{DType, Number, Type, number::write_float};

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Attr {
    /// An optional attribute that is not given; never printed.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// A size: an integer expression.
    Size(Expr),
    /// Text.
    Str(String),
    /// A Python number.
    Number(Number),
    /// An element type.
    DType(DType),
    /// The name of a function or kernel.
    Ref(String),
    /// A type.
    Type(Type),
    /// A list, also of lists.
    List(Vec<Attr>),
}

/// What values an attribute takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each names the Rust type in `attr_ty`")]
pub enum AttrKind {
    Bool,
    Bools,
    Int,
    Ints,
    Size,
    Sizes,
    SizesList,
    Float,
    Floats,
    Str,
    Strs,
    Number,
    Numbers,
    DType,
    Ref,
    TypeAttr,
    Any,
}

impl AttrKind {
    /// Whether `attr` is of this kind.
    pub fn admits(self, attr: &Attr) -> bool {
        let all = |ok: fn(&Attr) -> bool| match attr {
            Attr::List(it) => it.iter().all(ok),
            _ => false,
        };
        let is_int = |it: &Attr| matches!(it, Attr::Size(it) if it.as_int().is_some());
        match self {
            AttrKind::Bool => matches!(attr, Attr::Bool(_)),
            AttrKind::Bools => all(|it| matches!(it, Attr::Bool(_))),
            AttrKind::Int => is_int(attr),
            AttrKind::Ints => all(|it| matches!(it, Attr::Size(it) if it.as_int().is_some())),
            AttrKind::Size => matches!(attr, Attr::Size(_)),
            AttrKind::Sizes => all(|it| matches!(it, Attr::Size(_))),
            AttrKind::SizesList => all(|it| AttrKind::Sizes.admits(it)),
            AttrKind::Float => matches!(attr, Attr::Number(Number::Float(_))),
            AttrKind::Floats => all(|it| matches!(it, Attr::Number(Number::Float(_)))),
            AttrKind::Str => matches!(attr, Attr::Str(_)),
            AttrKind::Strs => all(|it| matches!(it, Attr::Str(_))),
            AttrKind::Number => matches!(attr, Attr::Number(_) | Attr::Size(_) | Attr::Bool(_)),
            AttrKind::Numbers => all(|it| AttrKind::Number.admits(it)),
            AttrKind::DType => matches!(attr, Attr::DType(_)),
            AttrKind::Ref => matches!(attr, Attr::Ref(_)),
            AttrKind::TypeAttr => matches!(attr, Attr::Type(_)),
            AttrKind::Any => true,
        }
    }
}

impl Attr {
    /// Calls `f` with every size expression in the attribute.
    pub fn for_each_expr(&self, f: &mut dyn FnMut(&Expr)) {
        match self {
            Attr::Size(it) | Attr::Number(Number::Int(it)) => f(it),
            Attr::List(it) => it.iter().for_each(|it| it.for_each_expr(f)),
            Attr::Type(it) => it.for_each_expr(f),
            Attr::None
            | Attr::Bool(_)
            | Attr::Str(_)
            | Attr::Number(_)
            | Attr::DType(_)
            | Attr::Ref(_) => (),
        }
    }
}

/// The Rust type behind each [`AttrKind`], named alike so that `dialect!` can use one word for both.
#[expect(missing_docs, reason = "each is the Rust type of the kind of that name")]
pub mod attr_ty {
    pub type Bool = bool;
    pub type Bools = Vec<bool>;
    pub type Int = i64;
    pub type Ints = Vec<i64>;
    pub type Size = sym::Expr;
    pub type Sizes = Vec<sym::Expr>;
    pub type SizesList = Vec<Vec<sym::Expr>>;
    pub type Float = f64;
    pub type Floats = Vec<f64>;
    pub type Str = String;
    pub type Strs = Vec<String>;
    pub type Number = crate::Number;
    pub type Numbers = Vec<crate::Number>;
    pub type DType = crate::DType;
    pub type Ref = super::RefName;
    pub type TypeAttr = crate::Type;
    pub type Any = crate::Attr;
}

/// The name of a function or kernel that an op refers to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RefName(pub String);

/// Conversion between an attribute and its Rust type.
pub trait AttrTy: Sized {
    /// As an attribute.
    fn to_attr(self) -> Attr;
    /// From an attribute of the right kind.
    fn of_attr(attr: &Attr) -> Option<Self>;
}

impl AttrTy for bool {
    fn to_attr(self) -> Attr {
        Attr::Bool(self)
    }
    fn of_attr(attr: &Attr) -> Option<bool> {
        match attr {
            Attr::Bool(it) => Some(*it),
            _ => None,
        }
    }
}

impl AttrTy for i64 {
    fn to_attr(self) -> Attr {
        Attr::Size(Expr::int(self))
    }
    fn of_attr(attr: &Attr) -> Option<i64> {
        match attr {
            Attr::Size(it) => it.as_int(),
            _ => None,
        }
    }
}

impl AttrTy for Expr {
    fn to_attr(self) -> Attr {
        Attr::Size(self)
    }
    fn of_attr(attr: &Attr) -> Option<Expr> {
        match attr {
            Attr::Size(it) => Some(it.clone()),
            _ => None,
        }
    }
}

impl AttrTy for f64 {
    fn to_attr(self) -> Attr {
        Attr::Number(Number::Float(self))
    }
    fn of_attr(attr: &Attr) -> Option<f64> {
        match attr {
            Attr::Number(Number::Float(it)) => Some(*it),
            _ => None,
        }
    }
}

impl AttrTy for String {
    fn to_attr(self) -> Attr {
        Attr::Str(self)
    }
    fn of_attr(attr: &Attr) -> Option<String> {
        match attr {
            Attr::Str(it) => Some(it.clone()),
            _ => None,
        }
    }
}

impl AttrTy for Number {
    /// Integers and bools are written as sizes and bools, which read back as numbers.
    fn to_attr(self) -> Attr {
        match self {
            Number::Int(it) => Attr::Size(it),
            Number::Bool(it) => Attr::Bool(it),
            it @ (Number::Float(_) | Number::Complex(..)) => Attr::Number(it),
        }
    }
    fn of_attr(attr: &Attr) -> Option<Number> {
        match attr {
            Attr::Number(it) => Some(it.clone()),
            Attr::Size(it) => Some(Number::Int(it.clone())),
            Attr::Bool(it) => Some(Number::Bool(*it)),
            _ => None,
        }
    }
}

impl AttrTy for DType {
    fn to_attr(self) -> Attr {
        Attr::DType(self)
    }
    fn of_attr(attr: &Attr) -> Option<DType> {
        match attr {
            Attr::DType(it) => Some(*it),
            _ => None,
        }
    }
}

impl AttrTy for RefName {
    fn to_attr(self) -> Attr {
        Attr::Ref(self.0)
    }
    fn of_attr(attr: &Attr) -> Option<RefName> {
        match attr {
            Attr::Ref(it) => Some(RefName(it.clone())),
            _ => None,
        }
    }
}

impl AttrTy for Type {
    fn to_attr(self) -> Attr {
        Attr::Type(self)
    }
    fn of_attr(attr: &Attr) -> Option<Type> {
        match attr {
            Attr::Type(it) => Some(it.clone()),
            _ => None,
        }
    }
}

impl AttrTy for Attr {
    fn to_attr(self) -> Attr {
        self
    }
    fn of_attr(attr: &Attr) -> Option<Attr> {
        Some(attr.clone())
    }
}

impl<T: AttrTy> AttrTy for Vec<T> {
    fn to_attr(self) -> Attr {
        Attr::List(self.into_iter().map(T::to_attr).collect())
    }
    fn of_attr(attr: &Attr) -> Option<Vec<T>> {
        match attr {
            Attr::List(it) => it.iter().map(T::of_attr).collect(),
            _ => None,
        }
    }
}

impl<T: AttrTy> AttrTy for Option<T> {
    fn to_attr(self) -> Attr {
        self.map_or(Attr::None, T::to_attr)
    }
    fn of_attr(attr: &Attr) -> Option<Option<T>> {
        match attr {
            Attr::None => Some(None),
            it => T::of_attr(it).map(Some),
        }
    }
}

/// Text as a quoted literal; control characters are escaped so that a literal is one line.
pub(crate) fn write_str(f: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attr::None => f.write_str("none"),
            Attr::Bool(it) => write!(f, "{it}"),
            Attr::Size(it) => write!(f, "{it}"),
            Attr::Str(it) => write_str(f, it),
            Attr::Number(Number::Float(it)) => write_float(f, *it),
            Attr::Number(it) => write!(f, "{it}"),
            // Marked, since an unbacked symbol may be called `u8` too.
            Attr::DType(it) => write!(f, "!{it}"),
            Attr::Ref(it) => {
                f.write_str("@")?;
                write_str(f, it)
            }
            Attr::Type(it) => write!(f, "type({it})"),
            Attr::List(it) => {
                f.write_str("[")?;
                for (i, attr) in it.iter().enumerate() {
                    if i != 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{attr}")?;
                }
                f.write_str("]")
            }
        }
    }
}
