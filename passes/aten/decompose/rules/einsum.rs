//! Sums of products by the letters of an equation, two operands at a time.

use ir::{DType, Result, ValueId, scalar::ScalarFn};
use sym::Expr;

use super::rules;
use crate::{
    decompose::{
        cx::{Cx, Input},
        emit::int,
    },
    promote,
};

type Values = Result<Vec<ValueId>>;

/// A dimension's name: a letter, or a place within the ellipsis counted from its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    Letter(char),
    Rest(usize),
}

struct Operand {
    value: ValueId,
    labels: Vec<Label>,
}

/// The labels of a term of that rank; an ellipsis stands for the dimensions no letter names.
fn labels(cx: &Cx<'_, '_>, term: &str, rank: Option<usize>, widest: usize) -> Result<Vec<Label>> {
    let letters = term.chars().filter(|it| it.is_ascii_alphabetic()).count();
    let rest = rank.map_or(widest, |it| it.saturating_sub(letters));
    let mut res = Vec::new();
    let mut chars = term.chars().filter(|it| !it.is_whitespace()).peekable();
    while let Some(it) = chars.next() {
        match it {
            '.' => {
                while chars.next_if_eq(&'.').is_some() {}
                res.extend((0..rest).rev().map(Label::Rest));
            }
            it if it.is_ascii_alphabetic() => res.push(Label::Letter(it)),
            it => return Err(cx.error(format!("`{it}` in an equation"))),
        }
    }
    match rank {
        Some(rank) if rank != res.len() => Err(cx.error("an equation of other ranks")),
        _ => Ok(res),
    }
}

impl Operand {
    fn place(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|it| *it == label)
    }

    /// A label that occurs twice names the diagonal.
    fn without_repeats(mut self, cx: &mut Cx<'_, '_>) -> Result<Operand> {
        'again: loop {
            for i in 0..self.labels.len() {
                let Some(j) =
                    (i + 1..self.labels.len()).find(|j| self.labels[*j] == self.labels[i])
                else {
                    continue;
                };
                let count = cx.dim_size(self.value, i);
                let index = cx.positions(&count)?;
                self.value = cx.index(self.value, &[index, index], &[i, j], i)?;
                self.labels.remove(j);
                continue 'again;
            }
            return Ok(self);
        }
    }

    /// Sums over the labels that nobody needs; integers as sums are.
    fn summed(mut self, cx: &mut Cx<'_, '_>, needed: &dyn Fn(Label) -> bool) -> Result<Operand> {
        let gone: Vec<usize> =
            (0..self.labels.len()).filter(|it| !needed(self.labels[*it])).collect();
        if !gone.is_empty() {
            let wide = cx.cast(self.value, promote::sum_type(cx.dtype_of(self.value)))?;
            self.value = cx.reduce("sum", wide, &gone, false)?;
            self.labels.retain(|it| needed(*it));
        }
        Ok(self)
    }
}

/// Two operands into one: labels of both are paired, and summed where nobody needs them after.
fn pair(
    cx: &mut Cx<'_, '_>,
    mut a: Operand,
    mut b: Operand,
    needed: &dyn Fn(Label) -> bool,
) -> Result<Operand> {
    // A size of 1 against another is repeated.
    for label in a.labels.clone() {
        let (Some(i), Some(j)) = (a.place(label), b.place(label)) else { continue };
        let (own, other) = (cx.dim_size(a.value, i), cx.dim_size(b.value, j));
        if cx.equal(&own, &other) {
            continue;
        }
        let (operand, at, size) =
            if own.as_int() == Some(1) { (&mut a, i, other) } else { (&mut b, j, own) };
        let mut shape = cx.shape(operand.value);
        shape[at] = size;
        operand.value = cx.expand(operand.value, &shape)?;
    }
    let (mut batch, mut summed) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut labels = Vec::new();
    for (i, label) in a.labels.iter().enumerate() {
        if let Some(j) = b.place(*label) {
            let into = if needed(*label) { &mut batch } else { &mut summed };
            into.0.push(i);
            into.1.push(j);
            if needed(*label) {
                labels.push(*label);
            }
        }
    }
    let shared: Vec<Label> = a.labels.iter().copied().filter(|it| b.place(*it).is_some()).collect();
    let free = |it: &Operand| -> Vec<Label> {
        it.labels.iter().copied().filter(|it| !shared.contains(it)).collect()
    };
    labels.extend(free(&a));
    labels.extend(free(&b));
    // One may have been summed before, and so be of a wider type.
    let dtype = cx.result_type(&[Input::Tensor(a.value), Input::Tensor(b.value)]);
    let (x, y) = (cx.cast(a.value, dtype)?, cx.cast(b.value, dtype)?);
    let value = cx.contract(x, y, (&batch.0, &batch.1), (&summed.0, &summed.1))?;
    Ok(Operand { value, labels })
}

fn einsum(cx: &mut Cx<'_, '_>) -> Values {
    let (equation, tensors) = (cx.text("equation")?, cx.list("tensors")?);
    let inputs: Vec<Input> = tensors.iter().map(|it| Input::Tensor(*it)).collect();
    let dtype = cx.result_type(&inputs);
    if dtype == DType::Bool {
        return Err(cx.error("sums of products of bools"));
    }
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != tensors.len() {
        return Err(cx.error("an equation for another number of operands"));
    }
    let mut operands = Vec::new();
    let mut widest = 0;
    for (term, value) in terms.iter().zip(tensors) {
        let labels = labels(cx, term, Some(cx.rank(value)), 0)?;
        widest = widest.max(labels.iter().filter(|it| matches!(it, Label::Rest(_))).count());
        let value = cx.cast(value, dtype)?;
        operands.push(Operand { value, labels }.without_repeats(cx)?);
    }
    let output = match right {
        Some(it) => labels(cx, it, None, widest)?,
        None => implied(&terms, widest),
    };
    let mut rest = operands.into_iter();
    let Some(mut whole) = rest.next() else { return Err(cx.error("no operand")) };
    let mut after: Vec<Operand> = rest.collect();
    while !after.is_empty() {
        let next = after.remove(0);
        let later = |it: Label| {
            output.contains(&it) || after.iter().any(|operand| operand.place(it).is_some())
        };
        let whole_needed = |it: Label| later(it) || next.place(it).is_some();
        whole = whole.summed(cx, &whole_needed)?;
        let next_needed = |it: Label| later(it) || whole.place(it).is_some();
        let labels = next.labels.clone();
        let next = Operand { labels, ..next }.summed(cx, &next_needed)?;
        whole = pair(cx, whole, next, &later)?;
    }
    let whole = whole.summed(cx, &|it| output.contains(&it))?;
    let order: Vec<usize> = output.iter().filter_map(|it| whole.place(*it)).collect();
    if order.len() != output.len() {
        return Err(cx.error("an output that no operand has"));
    }
    Ok(vec![cx.permute(whole.value, &order)?])
}

/// Without an output: the ellipsis, then letters that occur once, in the order of the alphabet.
fn implied(terms: &[&str], widest: usize) -> Vec<Label> {
    let mut letters: Vec<char> =
        terms.iter().flat_map(|it| it.chars()).filter(char::is_ascii_alphabetic).collect();
    letters.sort_unstable();
    let once = |it: &char| letters.iter().filter(|other| *other == it).count() == 1;
    let once: Vec<Label> =
        letters.iter().filter(|it| once(it)).map(|it| Label::Letter(*it)).collect();
    (0..widest).rev().map(Label::Rest).chain(once).collect()
}

/// Every element of one times the whole of the other.
fn kron(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let dtype = cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let rank = cx.rank(a).max(cx.rank(b));
    let padded = |cx: &Cx<'_, '_>, x: ValueId| {
        let shape = cx.shape(x);
        let mut res = vec![Expr::int(1); rank.saturating_sub(shape.len())];
        res.extend(shape);
        res
    };
    let (shape_a, shape_b) = (padded(cx, a), padded(cx, b));
    let one = Expr::int(1);
    let (mut apart_a, mut apart_b) = (Vec::new(), Vec::new());
    for (x, y) in shape_a.into_iter().zip(shape_b) {
        apart_a.extend([x, one.clone()]);
        apart_b.extend([one.clone(), y]);
    }
    let (a, b) = (cx.reshape(a, &apart_a)?, cx.reshape(b, &apart_b)?);
    let product = cx.zip(ScalarFn::Mul, a, b)?;
    let shape = cx.out_shape()?;
    Ok(vec![cx.reshape(product, &shape)?])
}

/// `a × b` in three dimensions.
fn cross(cx: &mut Cx<'_, '_>) -> Values {
    let (a, b) = (cx.x("self")?, cx.x("other")?);
    let dtype = cx.result_type(&[Input::Tensor(a), Input::Tensor(b)]);
    let (a, b) = (cx.cast(a, dtype)?, cx.cast(b, dtype)?);
    let [a, b] = cx.broadcast([a, b])?;
    let dim = match cx.get::<Option<i64>>("dim")? {
        Some(it) => cx.normal(it, cx.rank(a))?,
        None => (0..cx.rank(a))
            .find(|it| cx.dim_size(a, *it).as_int() == Some(3))
            .ok_or_else(|| cx.error("no dimension of size 3"))?,
    };
    let rolled = |cx: &mut Cx<'_, '_>, x: ValueId, by: i64| {
        let index = (0..3).map(|it| int((it + by) % 3)).collect();
        let index = cx.literal(index, vec![3], DType::I64)?;
        cx.index(x, &[index], &[dim], dim)
    };
    let (a1, b2) = (rolled(cx, a, 1)?, rolled(cx, b, 2)?);
    let (a2, b1) = (rolled(cx, a, 2)?, rolled(cx, b, 1)?);
    let (first, second) = (cx.zip(ScalarFn::Mul, a1, b2)?, cx.zip(ScalarFn::Mul, a2, b1)?);
    Ok(vec![cx.zip(ScalarFn::Sub, first, second)?])
}

rules! {
    "einsum" => einsum,
    "kron" => kron,
    "cross" | "linalg_cross" => cross,
}
