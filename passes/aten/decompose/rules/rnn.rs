//! Recurrent networks over sequences of known length, step after step.

use ir::{Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::{matmul::matmul_of, rules};
use crate::decompose::{cx::Cx, emit::int};

type Values = Result<Vec<ValueId>>;

/// The kind of cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Lstm,
    Gru,
    Plain(ScalarFn),
}

/// What one direction of one layer is made of.
#[derive(Clone, Copy)]
struct Weights {
    input: ValueId,
    hidden: ValueId,
    bias: Option<(ValueId, ValueId)>,
    /// Makes the output of the hidden state, where it has another width.
    projection: Option<ValueId>,
}

/// `x` times the transposed weight, plus a bias.
fn affine(
    cx: &mut Cx<'_, '_>,
    x: ValueId,
    weight: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId> {
    let last = cx.rank(x).saturating_sub(1);
    let res = cx.contract(x, weight, (&[], &[]), (&[last], &[1]))?;
    match bias {
        Some(it) => cx.zip(ScalarFn::Add, res, it),
        None => Ok(res),
    }
}

/// The `n`-th of equal parts of the last dimension.
fn part(cx: &mut Cx<'_, '_>, x: ValueId, n: i64, of: i64) -> Result<ValueId> {
    let last = cx.rank(x).saturating_sub(1);
    let size = cx.dim_size(x, last).floor_div(&Expr::int(of));
    let size = cx.simple(&size);
    cx.slice(x, last, size.clone() * Expr::int(n), size, 1)
}

impl Cell {
    /// The next hidden state, and the next cell state where there is one. `input` is the input's
    /// share of the gates.
    fn step(
        self,
        cx: &mut Cx<'_, '_>,
        input: ValueId,
        hidden: ValueId,
        cell: Option<ValueId>,
        weights: Weights,
    ) -> Result<(ValueId, Option<ValueId>)> {
        let share = affine(cx, hidden, weights.hidden, weights.bias.map(|it| it.1))?;
        match (self, cell) {
            (Cell::Plain(function), _) => {
                let sum = cx.zip(ScalarFn::Add, input, share)?;
                let next = match function {
                    ScalarFn::Max => cx.with_number(ScalarFn::Max, sum, int(0))?,
                    it => cx.map(it, sum)?,
                };
                Ok((next, None))
            }
            (Cell::Lstm, Some(cell)) => {
                let gates = cx.zip(ScalarFn::Add, input, share)?;
                let mut gate = |n: i64, function: ScalarFn| {
                    let it = part(cx, gates, n, 4)?;
                    cx.map(function, it)
                };
                let (take, keep) = (gate(0, ScalarFn::Sigmoid)?, gate(1, ScalarFn::Sigmoid)?);
                let (new, give) = (gate(2, ScalarFn::Tanh)?, gate(3, ScalarFn::Sigmoid)?);
                let kept = cx.zip(ScalarFn::Mul, keep, cell)?;
                let taken = cx.zip(ScalarFn::Mul, take, new)?;
                let cell = cx.zip(ScalarFn::Add, kept, taken)?;
                let shown = cx.map(ScalarFn::Tanh, cell)?;
                let mut hidden = cx.zip(ScalarFn::Mul, give, shown)?;
                if let Some(it) = weights.projection {
                    hidden = affine(cx, hidden, it, None)?;
                }
                Ok((hidden, Some(cell)))
            }
            (Cell::Gru, _) => {
                let mut gate = |n: i64| {
                    let (a, b) = (part(cx, input, n, 3)?, part(cx, share, n, 3)?);
                    let sum = cx.zip(ScalarFn::Add, a, b)?;
                    cx.map(ScalarFn::Sigmoid, sum)
                };
                let (reset, keep) = (gate(0)?, gate(1)?);
                let (a, b) = (part(cx, input, 2, 3)?, part(cx, share, 2, 3)?);
                let b = cx.zip(ScalarFn::Mul, reset, b)?;
                let new = cx.zip(ScalarFn::Add, a, b)?;
                let new = cx.map(ScalarFn::Tanh, new)?;
                let distance = cx.zip(ScalarFn::Sub, hidden, new)?;
                let kept = cx.zip(ScalarFn::Mul, distance, keep)?;
                Ok((cx.zip(ScalarFn::Add, kept, new)?, None))
            }
            (Cell::Lstm, None) => Err(cx.error("a cell state is needed")),
        }
    }

    /// One direction of one layer over `[time, batch, width]`.
    fn run(
        self,
        cx: &mut Cx<'_, '_>,
        x: ValueId,
        state: (ValueId, Option<ValueId>),
        weights: Weights,
        backwards: bool,
    ) -> Result<(ValueId, ValueId, Option<ValueId>)> {
        let Some(steps) = cx.dim_size(x, 0).as_int() else {
            return Err(cx.error("a sequence of unknown length"));
        };
        cx.moderately_many("steps, one after the other,", steps)?;
        let inputs = affine(cx, x, weights.input, weights.bias.map(|it| it.0))?;
        let (mut hidden, mut cell) = state;
        let mut outputs = Vec::new();
        for step in 0..steps {
            let at = if backwards { steps - 1 - step } else { step };
            let input = cx.select_dim(inputs, 0, Expr::int(at))?;
            (hidden, cell) = self.step(cx, input, hidden, cell, weights)?;
            outputs.push(cx.unsqueeze(hidden, 0)?);
        }
        if backwards {
            outputs.reverse();
        }
        Ok((cx.concat(&outputs, 0)?, hidden, cell))
    }
}

/// The weights of each direction of each layer, in PyTorch's order.
fn weights(cx: &mut Cx<'_, '_>, projected: bool) -> Result<Vec<Weights>> {
    let (params, biases) = (cx.list("params")?, cx.flag("has_biases")?);
    let each = 2 + if biases { 2 } else { 0 } + usize::from(projected);
    let one = |it: &[ValueId]| Weights {
        input: it[0],
        hidden: it[1],
        bias: biases.then(|| (it[2], it[3])),
        projection: projected.then(|| it[each - 1]),
    };
    Ok(params.chunks_exact(each).map(one).collect())
}

fn recurrent(cx: &mut Cx<'_, '_>, cell: Cell) -> Values {
    let mut x = cx.x("input")?;
    let states = if cell == Cell::Lstm { cx.list("hx")? } else { vec![cx.x("hx")?] };
    let (layers, both) = (cx.int("num_layers")?, cx.flag("bidirectional")?);
    let batch_first = cx.flag("batch_first")?;
    if cx.flag("train")? && cx.float("dropout")? != 0.0 {
        return Err(cx.error("dropout in training"));
    }
    let projected = match states.as_slice() {
        [hidden, cell] => {
            let (a, b) = (cx.dim_size(*hidden, 2), cx.dim_size(*cell, 2));
            !cx.equal(&a, &b)
        }
        _ => false,
    };
    let count = if cell == Cell::Lstm { 2 } else { 1 };
    if states.len() != count {
        return Err(cx.error("another number of states is needed"));
    }
    for it in &states {
        cx.at_least(*it, 3)?;
    }
    cx.at_least(x, 3)?;
    let weights = weights(cx, projected)?;
    let directions = 1 + usize::from(both);
    if batch_first {
        x = cx.transpose(x, 0, 1)?;
    }
    let (mut hidden_out, mut cell_out) = (Vec::new(), Vec::new());
    for layer in 0..usize::try_from(layers).unwrap_or(0) {
        let mut outputs = Vec::new();
        for direction in 0..directions {
            let at = layer * directions + direction;
            let Some(own) = weights.get(at).copied() else {
                return Err(cx.error("there are fewer weights than layers"));
            };
            let place = Expr::int(at as i64);
            let hidden = cx.select_dim(states[0], 0, place.clone())?;
            let state = states.get(1).map(|it| cx.select_dim(*it, 0, place)).transpose()?;
            let (output, hidden, state) = cell.run(cx, x, (hidden, state), own, direction == 1)?;
            outputs.push(output);
            hidden_out.push(cx.unsqueeze(hidden, 0)?);
            if let Some(it) = state {
                cell_out.push(cx.unsqueeze(it, 0)?);
            }
        }
        x = cx.concat(&outputs, 2)?;
    }
    if batch_first {
        x = cx.transpose(x, 0, 1)?;
    }
    let mut res = vec![x, cx.concat(&hidden_out, 0)?];
    if !cell_out.is_empty() {
        res.push(cx.concat(&cell_out, 0)?);
    }
    Ok(res)
}

/// One step, outside of a sequence.
fn one_cell(cx: &mut Cx<'_, '_>, cell: Cell) -> Values {
    let x = cx.x("input")?;
    let states = if cell == Cell::Lstm { cx.list("hx")? } else { vec![cx.x("hx")?] };
    if states.len() != if cell == Cell::Lstm { 2 } else { 1 } {
        return Err(cx.error("another number of states is needed"));
    }
    let weights = Weights {
        input: cx.x("w_ih")?,
        hidden: cx.x("w_hh")?,
        bias: cx.opt("b_ih")?.zip(cx.opt("b_hh")?),
        projection: None,
    };
    let input = affine(cx, x, weights.input, weights.bias.map(|it| it.0))?;
    let (hidden, state) = cell.step(cx, input, states[0], states.get(1).copied(), weights)?;
    Ok([Some(hidden), state].into_iter().flatten().collect())
}

/// `x1ᵀ W x2 + b` for each of the matrices of `W`.
fn bilinear(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b, weight) = (cx.x("input1")?, cx.x("input2")?, cx.x("weight")?);
    let rank = cx.rank(a);
    // [.., i] with [o, i, j] gives [.., o, j], and that with [.., j] gives [.., o].
    let half = cx.contract(a, weight, (&[], &[]), (&[rank.saturating_sub(1)], &[1]))?;
    let column = cx.unsqueeze(b, rank)?;
    let product = matmul_of(cx, half, column)?;
    let mut res = cx.squeeze(product, rank)?;
    if let Some(bias) = cx.opt("bias")? {
        res = cx.zip(ScalarFn::Add, res, bias)?;
    }
    Ok(vec![res])
}

/// The product of three tensors with dimensions added, summed over some.
fn trilinear(cx: &mut Cx<'_, '_>) -> Values {
    let first = cx.x("i1")?;
    let rank = cx.rank(first) + cx.ints("expand1")?.len();
    let mut factors = Vec::new();
    for i in 1..=3 {
        let mut x = cx.x(&format!("i{i}"))?;
        let mut added = cx.normal_all(&cx.ints(&format!("expand{i}"))?, rank)?;
        added.sort_unstable();
        for dim in added {
            x = cx.unsqueeze(x, dim)?;
        }
        factors.push(x);
    }
    let summed = cx.normal_all(&cx.ints("sumdim")?, rank)?;
    let dtype = cx.out(0)?.dtype;
    for it in &mut factors {
        *it = cx.widened(*it)?;
    }
    let product = cx.zip(ScalarFn::Mul, factors[0], factors[1])?;
    let product = cx.zip(ScalarFn::Mul, product, factors[2])?;
    let sum = cx.reduce("sum", product, &summed, false)?;
    Ok(vec![cx.cast(sum, dtype)?])
}

rules! {
    "_trilinear" => trilinear,
    "lstm.input" => |cx| recurrent(cx, Cell::Lstm),
    "gru.input" => |cx| recurrent(cx, Cell::Gru),
    "rnn_tanh.input" => |cx| recurrent(cx, Cell::Plain(ScalarFn::Tanh)),
    "rnn_relu.input" => |cx| recurrent(cx, Cell::Plain(ScalarFn::Max)),
    "lstm_cell" => |cx| one_cell(cx, Cell::Lstm),
    "gru_cell" => |cx| one_cell(cx, Cell::Gru),
    "rnn_tanh_cell" => |cx| one_cell(cx, Cell::Plain(ScalarFn::Tanh)),
    "rnn_relu_cell" => |cx| one_cell(cx, Cell::Plain(ScalarFn::Max)),
    "bilinear" => bilinear,
}
