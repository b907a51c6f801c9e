//! Questions about shapes.

use sym::{Answer, Expr, Facts};

/// Whether two shapes are equal for every size in range.
pub fn same_shape(a: &[Expr], b: &[Expr], facts: &Facts) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_size(a, b, facts))
}

/// Whether two sizes are equal for every value in range.
pub(crate) fn same_size(a: &Expr, b: &Expr, facts: &Facts) -> bool {
    a == b || sym::equal(a, b, facts) == Answer::Proven
}

/// A dimension counted from the end if negative. A tensor without dimensions has one for this.
pub fn normalize_dim(dim: i64, rank: usize) -> Option<usize> {
    let limit = rank.max(1) as i64;
    let dim = if dim < 0 { dim + limit } else { dim };
    (0..limit).contains(&dim).then_some(dim as usize)
}

/// The shape that both broadcast to; `None` where two sizes are neither equal nor 1.
/// A size that may or may not be 1 is taken to be equal to the other only if that is proven.
pub fn broadcast(a: &[Expr], b: &[Expr], facts: &Facts) -> Option<Vec<Expr>> {
    let rank = a.len().max(b.len());
    let one = Expr::int(1);
    let at = |shape: &[Expr], i: usize| {
        let missing = rank - shape.len();
        if i < missing { one.clone() } else { shape[i - missing].clone() }
    };
    (0..rank)
        .map(|i| {
            let (a, b) = (at(a, i), at(b, i));
            if same_size(&a, &b, facts) || b == one {
                Some(a)
            } else if a == one {
                Some(b)
            } else {
                None
            }
        })
        .collect()
}

/// The strides, in elements, of a dense row-major tensor of that shape.
pub fn contiguous_dims(shape: &[Expr]) -> Vec<Expr> {
    let mut strides = vec![Expr::int(1); shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].clone() * shape[i].clone();
    }
    strides
}
