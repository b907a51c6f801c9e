//! Complex tensors as pairs of real ones.
//!
//! Why: kernels compute with real numbers in lanes, and products have a fast kernel for real
//! numbers only. After this pass a complex tensor is seen at the edge of the program alone: its
//! parts are read from a parameter, and joined for a result or for what cannot be split.

mod ops;
mod scalar;

use diag::Diag;
use ir::{DType, Number, Op, Result, Rewriter, ValueId, scalar::ScalarFn};
use pass::{PassCx, PassDef, Unit};
use sym::Expr;
use tensor::{Complex, Full, Imag, Real, pointwise};

/// The pass.
pub(crate) static SPLIT_COMPLEX: PassDef = PassDef {
    tolerance: Some(1e-4),
    ..PassDef::new(
        "split-complex",
        "say operators on complex tensors by operators on their parts",
        include_str!("README.md"),
        run,
    )
};

fn run(unit: &Unit, _cx: &PassCx<'_>) -> std::result::Result<Unit, Vec<Diag>> {
    pass::per_function(unit, |function| {
        let types = &function.body.types;
        if !types.iter().any(|it| it.dtype().is_some_and(DType::is_complex)) {
            return Ok(function.clone());
        }
        let parts = vec![None; types.len()];
        let mut it = Split { rw: Rewriter::new(function), parts };
        for op in function.body.ops() {
            it.rw.new.origin = op.origin;
            it.op(op)?;
        }
        for value in &function.body.root.yields {
            it.whole(*value)?;
        }
        Ok(it.rw.finish())
    })
}

/// The real and the imaginary part.
#[derive(Clone, Copy)]
struct Parts {
    re: ValueId,
    im: ValueId,
}

/// A function whose complex values are being split.
struct Split<'a> {
    rw: Rewriter<'a>,
    /// By old value, where it is complex and its parts exist.
    parts: Vec<Option<Parts>>,
}

impl<'a> Split<'a> {
    fn op(&mut self, op: &'a Op) -> Result<()> {
        let view = self.rw.view(op);
        let is_complex = |it: ValueId| view.ty(it).dtype().is_some_and(DType::is_complex);
        if !op.operands().chain(op.results()).any(is_complex) {
            self.rw.copy(op)?;
            return Ok(());
        }
        match op.def.0.scalar {
            Some(function) => self.scalar(op, function),
            None => self.structural(op),
        }
    }

    /// The parts of an old complex value; they are taken from it when first asked for.
    fn split(&mut self, old: ValueId) -> Result<Parts> {
        if let Some(it) = self.parts[old.index()] {
            return Ok(it);
        }
        let whole = self.rw.get(old);
        let re = Real::build(&mut self.rw.new, whole)?[0];
        let im = Imag::build(&mut self.rw.new, whole)?[0];
        let made = Parts { re, im };
        self.parts[old.index()] = Some(made);
        Ok(made)
    }

    fn set(&mut self, old: ValueId, re: ValueId, im: ValueId) {
        self.parts[old.index()] = Some(Parts { re, im });
    }

    /// An old value as it was, joined where only its parts exist.
    fn whole(&mut self, old: ValueId) -> Result<ValueId> {
        match (self.rw.try_get(old), self.parts[old.index()]) {
            (Some(it), _) => Ok(it),
            (None, Some(Parts { re, im })) => {
                let made = Complex::build(&mut self.rw.new, re, im)?[0];
                self.rw.set(old, made);
                Ok(made)
            }
            (None, None) => Ok(self.rw.get(old)),
        }
    }

    fn apply(&mut self, function: ScalarFn, operands: &[ValueId]) -> Result<ValueId> {
        pointwise(&mut self.rw.new, function, operands)
    }

    /// A number in the dtype and shape of `like`.
    fn filled(&mut self, like: ValueId, number: f64) -> Result<ValueId> {
        let ty = self.rw.new.ty(like).as_tensor().cloned();
        let (dtype, shape) =
            ty.map_or((DType::F32, Vec::new()), |it| (it.dtype, it.shape.to_vec()));
        Ok(Full::build(&mut self.rw.new, Number::Float(number), shape, dtype)?[0])
    }

    fn shape(&self, value: ValueId) -> Vec<Expr> {
        self.rw.new.ty(value).as_tensor().map_or(Vec::new(), |it| it.shape.to_vec())
    }
}
