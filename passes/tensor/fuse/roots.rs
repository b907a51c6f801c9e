//! Elements that need a loop of their own: windows, and products and convolutions of dtypes that
//! no structured kernel serves.

use ir::{DType, Number, Result, ValueId, scalar::ScalarFn};
use sym::{Answer, Expr};
use tensor::{ArgWindow, Contract, Conv, ReduceWindow};

use super::{index::Emitter, lower::in_reduce};

/// A window that moves over the last dimensions.
struct Window {
    sizes: Vec<Expr>,
    window: Vec<Expr>,
    stride: Vec<i64>,
    low: Vec<Expr>,
    dilation: Vec<i64>,
}

impl Emitter<'_, '_, '_> {
    /// The element of a stored value, by whatever loop it takes.
    pub(super) fn compute_root(&mut self, value: ValueId, at: &[Expr]) -> Result<ValueId> {
        let graph = self.graph;
        let Some(op) = graph.maker(value) else { return self.compute(value, at, None) };
        let view = graph.view(op);
        if let Some(it) = ReduceWindow::of(view) {
            let window = Window {
                sizes: graph.shape(it.x()).to_vec(),
                window: it.window(),
                stride: it.stride(),
                low: it.low(),
                dilation: it.dilation(),
            };
            return self.window(it.x(), &window, at, &it.kind());
        }
        if let Some(it) = ArgWindow::of(view) {
            return self.arg_window(it, at);
        }
        if let Some(it) = Contract::of(view) {
            return self.contract(it, at);
        }
        if let Some(it) = Conv::of(view) {
            return self.conv(it, at);
        }
        self.compute(value, at, None)
    }

    /// Names for loop axes that are not in use around: `w0`, `w1`, …
    fn window_axes(extents: &[Expr]) -> Vec<(String, Expr)> {
        extents.iter().enumerate().map(|(i, it)| (format!("w{i}"), it.clone())).collect()
    }

    /// Where the window's element at the axes lies, and whether that is inside the operand.
    fn window_place(
        &mut self,
        it: &Window,
        at: &[Expr],
        axes: &[(String, Expr)],
    ) -> Result<(Vec<Expr>, Option<ValueId>)> {
        let kept = it.sizes.len() - it.window.len();
        let mut place = at[..kept].to_vec();
        let mut within = None;
        for (i, (axis, _)) in axes.iter().enumerate() {
            let index = at[kept + i].clone() * Expr::int(it.stride[i])
                + Expr::sym(axis) * Expr::int(it.dilation[i])
                - it.low[i].clone();
            let index = sym::simplify(&index, &self.facts);
            let fits = self.within(&index, &it.sizes[kept + i])?;
            within = self.both(within, fits)?;
            place.push(index);
        }
        Ok((place, within))
    }

    fn window(&mut self, x: ValueId, it: &Window, at: &[Expr], kind: &str) -> Result<ValueId> {
        let axes = Self::window_axes(&it.window);
        in_reduce(self, &axes.clone(), kind, |me| {
            let (place, within) = me.window_place(it, at, &axes)?;
            let element = me.read(x, &place, within)?;
            let dtype = me.graph.dtype(x);
            me.choose(within, element, |me| me.constant(identity(kind, dtype), dtype))
        })
    }

    fn arg_window(&mut self, it: ArgWindow<'_>, at: &[Expr]) -> Result<ValueId> {
        let x = it.x();
        let window = Window {
            sizes: self.graph.shape(x).to_vec(),
            window: it.window(),
            stride: it.stride(),
            low: it.low(),
            dilation: it.dilation(),
        };
        let axes = Self::window_axes(&window.window);
        let best = in_reduce(self, &axes.clone(), "argmax", |me| {
            let (place, within) = me.window_place(&window, at, &axes)?;
            let element = me.read(x, &place, within)?;
            let dtype = me.graph.dtype(x);
            me.choose(within, element, |me| me.constant(identity("max", dtype), dtype))
        })?;
        // From the place in the window to the place in the operand, dimension by dimension.
        let kept = window.sizes.len() - window.window.len();
        let mut res = None;
        let mut inner = Expr::int(1);
        let mut stride = Expr::int(1);
        for i in (0..axes.len()).rev() {
            let step = self.index(inner.clone(), DType::I64)?;
            let size = self.index(window.window[i].clone(), DType::I64)?;
            let number = self.apply(ScalarFn::FloorDiv, &[best, step])?;
            let number = self.apply(ScalarFn::Rem, &[number, size])?;
            let dilation = self.index(Expr::int(window.dilation[i]), DType::I64)?;
            let number = self.apply(ScalarFn::Mul, &[number, dilation])?;
            let first = at[kept + i].clone() * Expr::int(window.stride[i]) - window.low[i].clone();
            let first = self.index(first, DType::I64)?;
            let place = self.apply(ScalarFn::Add, &[first, number])?;
            let scale = self.index(stride.clone(), DType::I64)?;
            let place = self.apply(ScalarFn::Mul, &[place, scale])?;
            res = Some(match res {
                None => place,
                Some(sum) => self.apply(ScalarFn::Add, &[sum, place])?,
            });
            inner = inner * window.window[i].clone();
            stride = stride * window.sizes[kept + i].clone();
        }
        match res {
            Some(it) => Ok(it),
            None => self.constant(Number::Int(Expr::int(0)), DType::I64),
        }
    }

    /// A product of two elements; half types multiply in float32.
    fn product(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        let dtype = self.builder.ty(a).dtype();
        let (a, b) = match dtype {
            Some(DType::F16 | DType::BF16) => {
                (self.cast(a, DType::F32)?, self.cast(b, DType::F32)?)
            }
            _ => (a, b),
        };
        self.apply(ScalarFn::Mul, &[a, b])
    }

    fn contract(&mut self, it: Contract<'_>, at: &[Expr]) -> Result<ValueId> {
        let graph = self.graph;
        let (lhs, rhs) = (it.lhs(), it.rhs());
        let (lhs_shape, rhs_shape) = (graph.shape(lhs), graph.shape(rhs));
        let extents: Vec<Expr> =
            it.lhs_contract().iter().map(|i| lhs_shape[*i as usize].clone()).collect();
        let axes = Self::window_axes(&extents);
        let mut rest = at.iter().cloned();
        let mut lhs_at: Vec<Option<Expr>> = vec![None; lhs_shape.len()];
        let mut rhs_at: Vec<Option<Expr>> = vec![None; rhs_shape.len()];
        for (l, r) in it.lhs_batch().iter().zip(it.rhs_batch()) {
            let index = rest.next();
            lhs_at[*l as usize] = index.clone();
            rhs_at[r as usize] = index;
        }
        for ((l, r), (axis, _)) in it.lhs_contract().iter().zip(it.rhs_contract()).zip(&axes) {
            lhs_at[*l as usize] = Some(Expr::sym(axis));
            rhs_at[r as usize] = Some(Expr::sym(axis));
        }
        for slot in lhs_at.iter_mut().chain(&mut rhs_at).filter(|it| it.is_none()) {
            *slot = rest.next();
        }
        let lhs_at: Vec<Expr> = lhs_at.into_iter().flatten().collect();
        let rhs_at: Vec<Expr> = rhs_at.into_iter().flatten().collect();
        let dtype = graph.dtype(lhs);
        let sum = in_reduce(self, &axes, "sum", |me| {
            let a = me.read(lhs, &lhs_at, None)?;
            let b = me.read(rhs, &rhs_at, None)?;
            me.product(a, b)
        })?;
        self.cast(sum, dtype)
    }

    fn conv(&mut self, it: Conv<'_>, at: &[Expr]) -> Result<ValueId> {
        let graph = self.graph;
        let (x, w) = (it.x(), it.w());
        let (x_shape, w_shape) = (graph.shape(x), graph.shape(w));
        let window = Window {
            sizes: x_shape.to_vec(),
            window: w_shape[2..].to_vec(),
            stride: it.stride(),
            low: it.low(),
            dilation: it.dilation(),
        };
        // The first axis runs over a group's channels, the others over the window.
        let axes = Self::window_axes(&w_shape[1..]);
        let per_group = w_shape[0].floor_div(&Expr::int(it.groups()));
        let group = match it.groups() {
            1 => Expr::int(0),
            _ => at[1].floor_div(&per_group),
        };
        let dtype = graph.dtype(x);
        let sum = in_reduce(self, &axes.clone(), "sum", |me| {
            let channel = Expr::sym(&axes[0].0);
            let mut x_at = vec![at[0].clone(), group * w_shape[1].clone() + channel.clone()];
            x_at.extend_from_slice(&at[2..]);
            let (place, within) = me.window_place(&window, &x_at, &axes[1..])?;
            let element = me.read(x, &place, within)?;
            let mut w_at = vec![at[1].clone(), channel];
            w_at.extend(axes[1..].iter().map(|it| Expr::sym(&it.0)));
            let weight = me.read(w, &w_at, None)?;
            let product = me.product(element, weight)?;
            let zero = me.builder.ty(product).dtype().unwrap_or(dtype);
            // Padding contributes nothing, whatever the weight: 0 times inf is not 0.
            me.choose(within, product, |me| me.constant(Number::Int(Expr::int(0)), zero))
        })?;
        self.cast(sum, dtype)
    }
}

/// What a window's element outside the operand counts as.
fn identity(kind: &str, dtype: DType) -> Number {
    match (kind, dtype) {
        ("max", it) if it.is_float() => Number::Float(f64::NEG_INFINITY),
        ("max", DType::I8) => Number::Int(Expr::int(i8::MIN.into())),
        ("max", DType::I16) => Number::Int(Expr::int(i16::MIN.into())),
        ("max", DType::I32) => Number::Int(Expr::int(i32::MIN.into())),
        ("max", DType::I64) => Number::Int(Expr::int(i64::MIN)),
        _ => Number::Int(Expr::int(0)),
    }
}

/// Whether a size is known to be 1.
pub(super) fn is_one(size: &Expr, facts: &sym::Facts) -> bool {
    *size == Expr::int(1) || sym::equal(size, &Expr::int(1), facts) == Answer::Proven
}
