//! Arguments made from a seed.

use std::collections::BTreeMap;

use ir::{DType, DTypeKind, EvalError, Function, HostTensor, HostValue, Type, scalar::Elem};

/// Arguments for a function, the same for the same seed on every machine.
///
/// Floats are near the normal distribution, bools are fair, integers are small: from -8 to 8, or
/// where the function has an op that may trap, such as an index out of range, from 0 to 2.
/// `sizes` gives the value of every symbol in the parameters' types.
pub fn seeded_inputs(
    function: &Function,
    seed: u64,
    sizes: &BTreeMap<String, i64>,
) -> Result<Vec<HostValue>, EvalError> {
    let mut may_trap = false;
    function.body.for_each_op(&mut |it| may_trap |= it.def.0.may_trap);
    let ints = if may_trap { 0..=2 } else { -8..=8 };
    let params = function.params.iter().zip(&function.body.root.params);
    params
        .enumerate()
        .map(|(i, (param, value))| {
            // Each argument has its own sequence, so that one more does not change the others.
            let mut random = Random(seed.wrapping_add((i as u64) << 32));
            match function.body.ty(*value) {
                Type::Scalar(dtype) => Ok(HostValue::Scalar(*dtype, random.elem(*dtype, &ints))),
                Type::Tensor(ty) => {
                    let shape = ty.shape.iter().map(|expr| {
                        let size = expr.eval(&|name| sizes.get(name).copied());
                        let size = size.map_err(|it| EvalError(format!("size {expr}: {it}")))?;
                        match 0 <= size {
                            true => Ok(size),
                            false => Err(EvalError(format!("size {expr} is {size}"))),
                        }
                    });
                    let shape = shape.collect::<Result<Vec<i64>, EvalError>>()?;
                    let count = shape.iter().try_fold(1_i64, |count, it| count.checked_mul(*it));
                    let count = count.ok_or_else(|| EvalError(format!("a shape {shape:?}")))?;
                    let elems = (0..count).map(|_| random.elem(ty.dtype, &ints));
                    Ok(HostValue::Tensor(HostTensor::from_elems(ty.dtype, shape, elems)))
                }
                ty => Err(EvalError(format!("{}: no argument of {ty} can be made", param.name))),
            }
        })
        .collect()
}

/// The generator SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
/// 2014): one word of state, and no seed is bad.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// The sum of four 16-bit uniform numbers, scaled to mean 0 and variance 1.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 / 65536.0 - 2.0) * 3.0_f64.sqrt()
    }

    fn elem(&mut self, dtype: DType, ints: &std::ops::RangeInclusive<i64>) -> Elem {
        let mut int = |lo: i64, hi: i64| {
            Elem::Int(i128::from(lo) + i128::from(self.next()) % i128::from(hi - lo + 1))
        };
        match dtype.kind() {
            DTypeKind::Bool => int(0, 1),
            DTypeKind::Signed => int(*ints.start(), *ints.end()),
            DTypeKind::Unsigned => int(0, *ints.end()),
            DTypeKind::Float => Elem::Float(self.normal()),
            DTypeKind::Complex => Elem::Complex(self.normal(), self.normal()),
        }
    }
}
