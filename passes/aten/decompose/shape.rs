//! Sizes that may be asked for any dimension.
//!
//! What an archive records need not fit its operators. A dimension that does not exist reads as 1
//! and takes no writes, so that a rule need not ask before each; the operator it makes, or the
//! comparison with the record, then refuses what does not fit.

use std::ops::{Deref, Index, IndexMut, Range, RangeFrom, RangeTo};

use sym::Expr;

/// The sizes of a value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Shape {
    sizes: Vec<Expr>,
    /// What a dimension that does not exist is.
    one: Expr,
    /// Where writes to one go.
    lost: Expr,
}

impl Shape {
    /// Of these sizes.
    pub(crate) fn new(sizes: Vec<Expr>) -> Shape {
        Shape { sizes, one: Expr::int(1), lost: Expr::int(1) }
    }

    /// The sizes as they are.
    pub(crate) fn into_vec(self) -> Vec<Expr> {
        self.sizes
    }

    /// Adds a dimension; past the end, at the end.
    pub(crate) fn insert(&mut self, dim: usize, size: Expr) {
        self.sizes.insert(dim.min(self.sizes.len()), size);
    }

    /// Removes a dimension, where it exists.
    pub(crate) fn remove(&mut self, dim: usize) {
        if dim < self.sizes.len() {
            self.sizes.remove(dim);
        }
    }

    /// The size of the last dimension.
    pub(crate) fn last_size(&self) -> Expr {
        self.sizes.last().cloned().unwrap_or_else(|| Expr::int(1))
    }
}

impl Deref for Shape {
    type Target = [Expr];
    fn deref(&self) -> &[Expr] {
        &self.sizes
    }
}

impl From<Vec<Expr>> for Shape {
    fn from(sizes: Vec<Expr>) -> Shape {
        Shape::new(sizes)
    }
}

impl IntoIterator for Shape {
    type Item = Expr;
    type IntoIter = std::vec::IntoIter<Expr>;
    fn into_iter(self) -> Self::IntoIter {
        self.sizes.into_iter()
    }
}

impl Index<usize> for Shape {
    type Output = Expr;
    fn index(&self, dim: usize) -> &Expr {
        self.sizes.get(dim).unwrap_or(&self.one)
    }
}

impl IndexMut<usize> for Shape {
    fn index_mut(&mut self, dim: usize) -> &mut Expr {
        self.sizes.get_mut(dim).unwrap_or(&mut self.lost)
    }
}

impl Index<RangeFrom<usize>> for Shape {
    type Output = [Expr];
    fn index(&self, it: RangeFrom<usize>) -> &[Expr] {
        self.sizes.get(it).unwrap_or_default()
    }
}

impl Index<RangeTo<usize>> for Shape {
    type Output = [Expr];
    fn index(&self, it: RangeTo<usize>) -> &[Expr] {
        &self.sizes[..it.end.min(self.sizes.len())]
    }
}

impl Index<Range<usize>> for Shape {
    type Output = [Expr];
    fn index(&self, it: Range<usize>) -> &[Expr] {
        self.sizes.get(it).unwrap_or_default()
    }
}
