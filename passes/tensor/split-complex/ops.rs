//! Operators that are no functions of single elements.

use ir::{Arg, Attr, DType, Number, Op, Result, ValueId, scalar::ScalarFn as F};
use loops::part_dtype;
use sym::Expr;
use tensor::{Bitcast, Cast, Concat, Contract, Conv, Reduce, Reshape, Scan, Slice};

use super::{Parts, Split};

/// Which part of every complex value is meant.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Re,
    Im,
}

impl<'a> Split<'a> {
    pub(super) fn structural(&mut self, op: &'a Op) -> Result<()> {
        let view = self.rw.view(op);
        let name = op.def.0.name.strip_prefix("tensor.").unwrap_or_default();
        let kind = |of: &[&str]| of.contains(&view.attr::<String>("kind").as_str());
        match name {
            "complex" => {
                let [re, im] = ["re", "im"].map(|it| self.rw.get(view.operand(it)));
                self.set(op.result(), re, im);
                Ok(())
            }
            "real" | "imag" => {
                let it = self.split(view.operand("x"))?;
                self.rw.set(op.result(), if name == "real" { it.re } else { it.im });
                Ok(())
            }
            "cast" => self.cast(op, Cast(view)),
            "bitcast" => self.bitcast(op, Bitcast(view)),
            "contract" => {
                let it = Contract(view);
                self.products(op, it.lhs(), it.rhs())
            }
            "conv" => {
                let it = Conv(view);
                self.products(op, it.x(), it.w())
            }
            "reduce" | "scan" | "reduce_window" if kind(&["sum"]) => self.each(op),
            "reduce" if kind(&["prod"]) => self.reduced_product(op, Reduce(view)),
            "scan" if kind(&["prod"]) => self.scanned_product(op, Scan(view)),
            "scatter" | "index_update" => {
                match ["set", "add"].contains(&view.attr::<String>("mode").as_str()) {
                    true => self.each(op),
                    false => Err(self.unsplit(op)),
                }
            }
            "full" | "literal" | "iota" | "expand" | "permute" | "reshape" | "slice" | "flip"
            | "pad" | "concat" | "slice_update" | "index" | "gather" | "strided" => self.each(op),
            "" => {
                // Not of this dialect: it gets its operands as they were.
                op.operands().try_for_each(|it| self.whole(it).map(drop))?;
                self.rw.copy(op).map(drop)
            }
            _ => Err(self.unsplit(op)),
        }
    }

    /// The op done to both parts.
    fn each(&mut self, op: &'a Op) -> Result<()> {
        let re = self.part(op, Part::Re)?;
        let im = self.part(op, Part::Im)?;
        self.set(op.result(), re, im);
        Ok(())
    }

    fn part(&mut self, op: &'a Op, part: Part) -> Result<ValueId> {
        let mut args = Vec::new();
        for arg in &op.args {
            args.push(match arg {
                Arg::None => Arg::None,
                Arg::Value(it) => Arg::Value(self.operand(*it, part)?),
                Arg::List(list) => {
                    let one =
                        |it: &Option<ValueId>| it.map(|it| self.operand(it, part)).transpose();
                    Arg::List(list.iter().map(one).collect::<Result<_>>()?)
                }
            });
        }
        let attrs = op.attrs.iter().map(|it| attr(it, part)).collect();
        self.rw.new.push1(op.def, args, attrs)
    }

    fn operand(&mut self, old: ValueId, part: Part) -> Result<ValueId> {
        if !self.is_complex(old) {
            return Ok(self.rw.get(old));
        }
        let it = self.split(old)?;
        Ok(if part == Part::Re { it.re } else { it.im })
    }

    fn is_complex(&self, old: ValueId) -> bool {
        self.rw.old.body.ty(old).dtype().is_some_and(DType::is_complex)
    }

    fn cast(&mut self, op: &'a Op, it: Cast<'_>) -> Result<()> {
        let dtype = it.dtype();
        let to = |me: &mut Self, x: ValueId, dtype: DType| -> Result<ValueId> {
            match me.rw.new.ty(x).dtype() == Some(dtype) {
                true => Ok(x),
                false => Ok(Cast::build(&mut me.rw.new, x, dtype)?[0]),
            }
        };
        if !self.is_complex(it.x()) {
            let x = self.rw.get(it.x());
            let re = to(self, x, part_dtype(dtype))?;
            let im = self.filled(re, 0.0)?;
            self.set(op.result(), re, im);
            return Ok(());
        }
        let x = self.split(it.x())?;
        if dtype.is_complex() {
            let re = to(self, x.re, part_dtype(dtype))?;
            let im = to(self, x.im, part_dtype(dtype))?;
            self.set(op.result(), re, im);
            return Ok(());
        }
        let mut made = to(self, x.re, dtype)?;
        if dtype == DType::Bool {
            // True where either part is not zero.
            let im = to(self, x.im, dtype)?;
            made = self.apply(F::Or, &[made, im])?;
        }
        self.rw.set(op.result(), made);
        Ok(())
    }

    /// Between a complex dtype and that of its parts, which lie side by side.
    fn bitcast(&mut self, op: &'a Op, it: Bitcast<'_>) -> Result<()> {
        let dtype = it.dtype();
        let from = self.rw.old.body.ty(it.x()).dtype().unwrap_or(DType::F32);
        if from == dtype {
            let x = self.split(it.x())?;
            self.set(op.result(), x.re, x.im);
            return Ok(());
        }
        if from.is_complex() && part_dtype(from) == dtype {
            let x = self.split(it.x())?;
            let mut shape = self.shape(x.re);
            let apart: Vec<Expr> = shape.iter().cloned().chain([Expr::int(1)]).collect();
            let re = Reshape::build(&mut self.rw.new, x.re, apart.clone())?[0];
            let im = Reshape::build(&mut self.rw.new, x.im, apart)?[0];
            let both = Concat::build(&mut self.rw.new, vec![re, im], shape.len() as i64)?[0];
            if let Some(last) = shape.last_mut() {
                *last = sym::simplify(&(last.clone() * Expr::int(2)), self.rw.facts());
            }
            let made = Reshape::build(&mut self.rw.new, both, shape)?[0];
            self.rw.set(op.result(), made);
            return Ok(());
        }
        if dtype.is_complex() && part_dtype(dtype) == from {
            let x = self.rw.get(it.x());
            let shape = self.rw.old.body.ty(op.result()).as_tensor().map(|it| it.shape.to_vec());
            let shape = shape.unwrap_or_default();
            let pairs = shape.iter().cloned().chain([Expr::int(2)]).collect();
            let pairs = Reshape::build(&mut self.rw.new, x, pairs)?[0];
            let re = self.side(pairs, &shape, 0)?;
            let im = self.side(pairs, &shape, 1)?;
            self.set(op.result(), re, im);
            return Ok(());
        }
        Err(self.unsplit(op))
    }

    /// One of the two elements along the last dimension.
    fn side(&mut self, pairs: ValueId, shape: &[Expr], side: i64) -> Result<ValueId> {
        let rank = shape.len() + 1;
        let mut start = vec![Expr::int(0); rank];
        start[rank - 1] = Expr::int(side);
        let size = shape.iter().cloned().chain([Expr::int(1)]).collect();
        let one = Slice::build(&mut self.rw.new, pairs, start, size, vec![1; rank])?[0];
        Ok(Reshape::build(&mut self.rw.new, one, shape.to_vec())?[0])
    }

    /// A product of complex tensors: four products of real ones.
    fn products(&mut self, op: &'a Op, a: ValueId, b: ValueId) -> Result<()> {
        let (a, b) = (self.split(a)?, self.split(b)?);
        let mut product = |a: ValueId, b: ValueId| {
            self.rw.new.push1(op.def, [a.into(), b.into()], op.attrs.clone())
        };
        let (ac, bd) = (product(a.re, b.re)?, product(a.im, b.im)?);
        let (ad, bc) = (product(a.re, b.im)?, product(a.im, b.re)?);
        let re = self.apply(F::Sub, &[ac, bd])?;
        let im = self.apply(F::Add, &[ad, bc])?;
        self.set(op.result(), re, im);
        Ok(())
    }

    /// Multiplies halves of a dimension until one element is left.
    fn reduced_product(&mut self, op: &'a Op, it: Reduce<'_>) -> Result<()> {
        let mut x = self.split(it.x())?;
        for dim in it.dims().into_iter().map(|it| it as usize) {
            let mut size = self.known(op, x, dim)?;
            if size == 0 {
                x = self.widen(x, dim, 0, 1)?;
                size = 1;
            }
            while 1 < size {
                let half = size / 2;
                let front = self.stretch(x, dim, 0, half)?;
                let back = self.stretch(x, dim, half, half)?;
                let mut joined = self.product(front, back)?;
                if size % 2 == 1 {
                    let last = self.stretch(x, dim, size - 1, 1)?;
                    let re =
                        Concat::build(&mut self.rw.new, vec![joined.re, last.re], dim as i64)?[0];
                    let im =
                        Concat::build(&mut self.rw.new, vec![joined.im, last.im], dim as i64)?[0];
                    joined = Parts { re, im };
                }
                x = joined;
                size = half + size % 2;
            }
        }
        let shape = self.rw.old.body.ty(op.result()).as_tensor().map(|it| it.shape.to_vec());
        let shape = shape.unwrap_or_default();
        let re = Reshape::build(&mut self.rw.new, x.re, shape.clone())?[0];
        let im = Reshape::build(&mut self.rw.new, x.im, shape)?[0];
        self.set(op.result(), re, im);
        Ok(())
    }

    /// Multiplies each element by the one 1, 2, 4, … places before.
    fn scanned_product(&mut self, op: &'a Op, it: Scan<'_>) -> Result<()> {
        let mut x = self.split(it.x())?;
        let dim = it.dim() as usize;
        let size = self.known(op, x, dim)?;
        let mut step = 1;
        while step < size {
            let kept = self.stretch(x, dim, 0, size - step)?;
            let before = self.widen(kept, dim, step, 0)?;
            x = self.product(before, x)?;
            step *= 2;
        }
        self.set(op.result(), x.re, x.im);
        Ok(())
    }

    fn known(&self, op: &Op, x: Parts, dim: usize) -> Result<i64> {
        let size = self.shape(x.re).get(dim).and_then(Expr::as_int);
        size.ok_or_else(|| self.unsplit(op).note("the number of factors is not known"))
    }

    fn stretch(&mut self, x: Parts, dim: usize, start: i64, size: i64) -> Result<Parts> {
        let mut sizes = self.shape(x.re);
        let mut starts = vec![Expr::int(0); sizes.len()];
        let steps = vec![1; sizes.len()];
        (starts[dim], sizes[dim]) = (Expr::int(start), Expr::int(size));
        let mut one = |it: ValueId| -> Result<ValueId> {
            let (starts, sizes, steps) = (starts.clone(), sizes.clone(), steps.clone());
            Ok(Slice::build(&mut self.rw.new, it, starts, sizes, steps)?[0])
        };
        Ok(Parts { re: one(x.re)?, im: one(x.im)? })
    }

    /// Ones added before and after along a dimension.
    fn widen(&mut self, x: Parts, dim: usize, before: i64, after: i64) -> Result<Parts> {
        let rank = self.shape(x.re).len();
        let (mut low, mut high) = (vec![Expr::int(0); rank], vec![Expr::int(0); rank]);
        (low[dim], high[dim]) = (Expr::int(before), Expr::int(after));
        let mut one = |it: ValueId, value: f64| -> Result<ValueId> {
            let (low, high, gaps) = (low.clone(), high.clone(), vec![0; rank]);
            let value = Number::Float(value);
            Ok(tensor::Pad::build(&mut self.rw.new, it, low, high, gaps, value)?[0])
        };
        Ok(Parts { re: one(x.re, 1.0)?, im: one(x.im, 0.0)? })
    }
}

/// The attribute as it is for one part: of a number that part, of a complex dtype that of parts.
fn attr(it: &Attr, part: Part) -> Attr {
    match it {
        Attr::DType(it) => Attr::DType(part_dtype(*it)),
        Attr::Number(Number::Complex(re, im)) => {
            Attr::Number(Number::Float(if part == Part::Re { *re } else { *im }))
        }
        Attr::Number(_) if part == Part::Im => Attr::Number(Number::Float(0.0)),
        Attr::List(list) => Attr::List(list.iter().map(|it| attr(it, part)).collect()),
        it => it.clone(),
    }
}
