//! The three arithmetics that sums of products are computed in.

use std::ops::{AddAssign, Mul};

use ir::{DType, EvalError, HostTensor, scalar::Elem};
use rayon::prelude::*;

use super::{GRAIN, build};

/// A number wide enough for every dtype of its kind.
pub(super) trait Num: Copy + Send + Sync + AddAssign + Mul<Output = Self> {
    const ZERO: Self;

    fn of(elem: Elem) -> Self;

    fn elem(self) -> Elem;

    /// All elements of a tensor.
    fn decode(x: &HostTensor) -> Vec<Self> {
        (0..x.numel()).into_par_iter().with_min_len(GRAIN).map(|i| Self::of(x.elem(i))).collect()
    }
}

/// Products of float32 are exact in `f64`, and sums of them nearly so.
impl Num for f64 {
    const ZERO: f64 = 0.0;

    fn of(elem: Elem) -> f64 {
        elem.to_f64()
    }

    fn elem(self) -> Elem {
        Elem::Float(self)
    }

    fn decode(x: &HostTensor) -> Vec<f64> {
        match x.dtype {
            DType::F32 => {
                let chunks = x.bytes.as_chunks::<4>().0;
                chunks.iter().map(|it| f32::from_le_bytes(*it).into()).collect()
            }
            DType::F64 => {
                x.bytes.as_chunks::<8>().0.iter().map(|it| f64::from_le_bytes(*it)).collect()
            }
            _ => x.elems().map(Elem::to_f64).collect(),
        }
    }
}

/// An integer modulo 2^64, and so modulo every narrower width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Int(u64);

impl AddAssign for Int {
    fn add_assign(&mut self, other: Int) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Mul for Int {
    type Output = Int;
    fn mul(self, other: Int) -> Int {
        Int(self.0.wrapping_mul(other.0))
    }
}

impl Num for Int {
    const ZERO: Int = Int(0);

    fn of(elem: Elem) -> Int {
        match elem {
            Elem::Int(it) => Int(it as u64),
            it => Int(it.to_i64() as u64),
        }
    }

    fn elem(self) -> Elem {
        Elem::Int(self.0.into())
    }
}

/// A complex number in double precision.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Complex(f64, f64);

impl AddAssign for Complex {
    fn add_assign(&mut self, other: Complex) {
        self.0 += other.0;
        self.1 += other.1;
    }
}

impl Mul for Complex {
    type Output = Complex;
    fn mul(self, other: Complex) -> Complex {
        let (Complex(a, b), Complex(c, d)) = (self, other);
        Complex(a * c - b * d, a * d + b * c)
    }
}

impl Num for Complex {
    const ZERO: Complex = Complex(0.0, 0.0);

    fn of(elem: Elem) -> Complex {
        match elem {
            Elem::Complex(re, im) => Complex(re, im),
            it => Complex(it.to_f64(), 0.0),
        }
    }

    fn elem(self) -> Elem {
        Elem::Complex(self.0, self.1)
    }
}

/// The bytes of numbers in `dtype`.
pub(super) fn encode<T: Num>(dtype: DType, nums: &[T]) -> Result<Vec<u8>, EvalError> {
    build(dtype, nums.len(), |i| nums[i].elem())
}
