//! Types of values.

use std::{fmt, sync::Arc};

use sym::{Expr, Facts};

use crate::DType;

/// A tensor: element type, sizes, and where the level speaks of memory, strides.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Size of each dimension, in elements.
    pub shape: Arc<[Expr]>,
    /// Stride of each dimension, in elements. `aten` records the exporter's, `loops` and `wrapper`
    /// decide theirs; `tensor` values have none.
    pub strides: Option<Arc<[Expr]>>,
}

impl TensorType {
    /// A tensor type without strides.
    pub fn new(dtype: DType, shape: impl Into<Arc<[Expr]>>) -> TensorType {
        TensorType { dtype, shape: shape.into(), strides: None }
    }

    /// The same with the strides of a dense row-major tensor.
    pub fn contiguous(dtype: DType, shape: impl Into<Arc<[Expr]>>) -> TensorType {
        let shape = shape.into();
        let strides = contiguous_strides(&shape);
        TensorType { dtype, shape, strides: Some(strides.into()) }
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn numel(&self) -> Expr {
        self.shape.iter().fold(Expr::int(1), |product, it| product * it.clone())
    }

    /// Elements from the first in memory to the last: strides may leave gaps or repeat. At least 1.
    pub fn span(&self, facts: &Facts) -> Expr {
        let Some(strides) = &self.strides else { return self.numel() };
        let (zero, one) = (Expr::int(0), Expr::int(1));
        // Row-major tensors, most of all, have no gaps.
        let dense = contiguous_strides(&self.shape);
        let mut dims = self.shape.iter().zip(strides.iter().zip(&dense));
        if dims.all(|(size, (stride, dense))| *size == one || stride == dense) {
            let count = self.numel();
            return if 1 <= sym::range(&count, facts).lo { count } else { count.max(one) };
        }
        let steps = self.shape.iter().map(|size| Expr::max(&(size.clone() - one.clone()), &zero));
        let last = steps.zip(strides.iter()).map(|(size, stride)| size * stride.clone());
        last.fold(one.clone(), |sum, it| sum + it)
    }

    /// The sizes as numbers, when all are known.
    pub fn static_shape(&self) -> Option<Vec<i64>> {
        self.shape.iter().map(Expr::as_int).collect()
    }

    /// The same type without strides.
    pub fn without_strides(&self) -> TensorType {
        TensorType { strides: None, ..self.clone() }
    }
}

/// Row-major strides of `shape`, as eager PyTorch computes them: a size of zero counts as one.
pub(crate) fn contiguous_strides(shape: &[Expr]) -> Vec<Expr> {
    let mut strides = vec![Expr::int(1); shape.len()];
    for i in (1..shape.len()).rev() {
        let size = match shape[i].as_int() {
            Some(0) => Expr::int(1),
            _ => shape[i].clone(),
        };
        strides[i - 1] = strides[i].clone() * size;
    }
    strides
}

/// The type of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// A tensor.
    Tensor(TensorType),
    /// One element in a register: what `loops` computes with, and what `item` gives.
    Scalar(DType),
    /// A list of values of one kind, such as what `split` gives.
    List(Arc<[Type]>),
    /// The memory that a run owns.
    Arena,
    /// The absent result of an operator.
    None,
}

impl Type {
    /// A tensor type without strides.
    pub fn tensor(dtype: DType, shape: impl Into<Arc<[Expr]>>) -> Type {
        Type::Tensor(TensorType::new(dtype, shape))
    }

    /// The tensor type, if it is one.
    pub fn as_tensor(&self) -> Option<&TensorType> {
        match self {
            Type::Tensor(it) => Some(it),
            Type::Scalar(_) | Type::List(_) | Type::Arena | Type::None => None,
        }
    }

    /// The element type of a tensor or scalar.
    pub fn dtype(&self) -> Option<DType> {
        match self {
            Type::Tensor(it) => Some(it.dtype),
            Type::Scalar(it) => Some(*it),
            Type::List(_) | Type::Arena | Type::None => None,
        }
    }

    /// Calls `f` with every size and stride in the type.
    pub fn for_each_expr(&self, f: &mut dyn FnMut(&Expr)) {
        match self {
            Type::Tensor(it) => {
                it.shape.iter().for_each(&mut *f);
                it.strides.iter().flat_map(|it| it.iter()).for_each(f);
            }
            Type::List(it) => it.iter().for_each(|it| it.for_each_expr(f)),
            Type::Scalar(_) | Type::Arena | Type::None => (),
        }
    }
}

fn exprs(f: &mut fmt::Formatter<'_>, exprs: &[Expr]) -> fmt::Result {
    for (i, it) in exprs.iter().enumerate() {
        if i != 0 {
            f.write_str(", ")?;
        }
        write!(f, "{it}")?;
    }
    Ok(())
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        exprs(f, &self.shape)?;
        f.write_str("]")?;
        if let Some(strides) = &self.strides {
            f.write_str("<")?;
            exprs(f, strides)?;
            f.write_str(">")?;
        }
        Ok(())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Tensor(it) => it.fmt(f),
            Type::Scalar(it) => it.fmt(f),
            Type::List(it) => {
                f.write_str("(")?;
                for (i, ty) in it.iter().enumerate() {
                    if i != 0 {
                        f.write_str(", ")?;
                    }
                    ty.fmt(f)?;
                }
                f.write_str(")")
            }
            Type::Arena => f.write_str("arena"),
            Type::None => f.write_str("none"),
        }
    }
}
