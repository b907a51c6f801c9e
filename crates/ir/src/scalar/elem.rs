//! Single elements, and their bytes.

use half::{bf16, f16};

use crate::{DType, DTypeKind};

/// The value of one element, whatever its dtype. Integers are held wide enough for all widths.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Elem {
    /// Bool as 0 or 1, and integers.
    Int(i128),
    /// Floats: every narrower float is exact in `f64`.
    Float(f64),
    /// Real and imaginary part.
    Complex(f64, f64),
}

impl Elem {
    /// As a float; the real part of a complex one.
    pub fn to_f64(self) -> f64 {
        match self {
            Elem::Int(it) => it as f64,
            Elem::Float(it) | Elem::Complex(it, _) => it,
        }
    }

    /// As an integer; floats towards zero, saturating.
    pub fn to_i64(self) -> i64 {
        match self {
            Elem::Int(it) => it as i64,
            Elem::Float(it) | Elem::Complex(it, _) => it as i64,
        }
    }

    /// Whether it is not zero; NaN is not.
    pub fn is_true(self) -> bool {
        match self {
            Elem::Int(it) => it != 0,
            Elem::Float(it) => it != 0.0,
            Elem::Complex(re, im) => re != 0.0 || im != 0.0,
        }
    }
}

/// The `i`-th element of `bytes`.
pub fn load(dtype: DType, bytes: &[u8], i: usize) -> Elem {
    fn at<const N: usize>(bytes: &[u8], i: usize) -> [u8; N] {
        let mut res = [0; N];
        res.copy_from_slice(&bytes[i * N..(i + 1) * N]);
        res
    }
    match dtype {
        DType::Bool => Elem::Int(i128::from(bytes[i] != 0)),
        DType::U8 => Elem::Int(bytes[i].into()),
        DType::I8 => Elem::Int(i8::from_le_bytes(at(bytes, i)).into()),
        DType::I16 => Elem::Int(i16::from_le_bytes(at(bytes, i)).into()),
        DType::U16 => Elem::Int(u16::from_le_bytes(at(bytes, i)).into()),
        DType::I32 => Elem::Int(i32::from_le_bytes(at(bytes, i)).into()),
        DType::U32 => Elem::Int(u32::from_le_bytes(at(bytes, i)).into()),
        DType::I64 => Elem::Int(i64::from_le_bytes(at(bytes, i)).into()),
        DType::U64 => Elem::Int(u64::from_le_bytes(at(bytes, i)).into()),
        DType::F16 => Elem::Float(f16::from_le_bytes(at(bytes, i)).to_f64()),
        DType::BF16 => Elem::Float(bf16::from_le_bytes(at(bytes, i)).to_f64()),
        DType::F32 => Elem::Float(f32::from_le_bytes(at(bytes, i)).into()),
        DType::F64 => Elem::Float(f64::from_le_bytes(at(bytes, i))),
        DType::C32 => Elem::Complex(
            f16::from_le_bytes(at(bytes, 2 * i)).to_f64(),
            f16::from_le_bytes(at(bytes, 2 * i + 1)).to_f64(),
        ),
        DType::C64 => Elem::Complex(
            f32::from_le_bytes(at(bytes, 2 * i)).into(),
            f32::from_le_bytes(at(bytes, 2 * i + 1)).into(),
        ),
        DType::C128 => Elem::Complex(
            f64::from_le_bytes(at(bytes, 2 * i)),
            f64::from_le_bytes(at(bytes, 2 * i + 1)),
        ),
    }
}

/// Appends an element, converted to `dtype` as [`cast`] does.
pub fn store(dtype: DType, elem: Elem, out: &mut Vec<u8>) {
    match (dtype, cast(dtype, elem)) {
        (DType::Bool | DType::U8, Elem::Int(it)) => out.push(it as u8),
        (DType::I8, Elem::Int(it)) => out.push(it as u8),
        (DType::I16 | DType::U16, Elem::Int(it)) => out.extend((it as u16).to_le_bytes()),
        (DType::I32 | DType::U32, Elem::Int(it)) => out.extend((it as u32).to_le_bytes()),
        (DType::I64 | DType::U64, Elem::Int(it)) => out.extend((it as u64).to_le_bytes()),
        (DType::F16, it) => out.extend(f16::from_f32(it.to_f64() as f32).to_le_bytes()),
        (DType::BF16, it) => out.extend(bf16::from_f32(it.to_f64() as f32).to_le_bytes()),
        (DType::F32, it) => out.extend((it.to_f64() as f32).to_le_bytes()),
        (DType::C32, Elem::Complex(re, im)) => {
            out.extend(f16::from_f32(re as f32).to_le_bytes());
            out.extend(f16::from_f32(im as f32).to_le_bytes());
        }
        (DType::C64, Elem::Complex(re, im)) => {
            out.extend((re as f32).to_le_bytes());
            out.extend((im as f32).to_le_bytes());
        }
        (DType::C128, Elem::Complex(re, im)) => {
            out.extend(re.to_le_bytes());
            out.extend(im.to_le_bytes());
        }
        (_, it) => out.extend(it.to_f64().to_le_bytes()),
    }
}

/// The element as `dtype` can hold it: integers wrap at their width, floats round to nearest even
/// (half types through float32), float to integer as C does on x86-64: towards zero through
/// int32 (int64 for wider types), out of range and NaN giving that instruction's "indefinite"
/// value, then wrapping.
pub fn cast(dtype: DType, elem: Elem) -> Elem {
    let int = |elem: Elem| -> i128 {
        let it = match elem {
            Elem::Int(it) => return it,
            Elem::Float(it) | Elem::Complex(it, _) => it,
        };
        // The integer type that the conversion goes through, and its ends.
        let (least, limit) = match dtype {
            DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::I32 => {
                (i128::from(i32::MIN), 2_147_483_648.0)
            }
            _ => (i128::from(i64::MIN), 9_223_372_036_854_775_808.0),
        };
        if (-limit..limit).contains(&it) {
            it as i128
        } else if dtype == DType::U64 && (0.0..2.0 * limit).contains(&it) {
            // uint64 has its own upper half.
            it as i128
        } else {
            least
        }
    };
    match dtype.kind() {
        DTypeKind::Bool => Elem::Int(i128::from(elem.is_true() || elem.to_f64().is_nan())),
        DTypeKind::Signed | DTypeKind::Unsigned => {
            let it = int(elem);
            Elem::Int(match dtype {
                DType::U8 => (it as u8).into(),
                DType::I8 => (it as i8).into(),
                DType::I16 => (it as i16).into(),
                DType::U16 => (it as u16).into(),
                DType::I32 => (it as i32).into(),
                DType::U32 => (it as u32).into(),
                DType::U64 => (it as u64).into(),
                _ => (it as i64).into(),
            })
        }
        DTypeKind::Float => Elem::Float(round(dtype, elem.to_f64())),
        DTypeKind::Complex => {
            let (re, im) = match elem {
                Elem::Complex(re, im) => (re, im),
                it => (it.to_f64(), 0.0),
            };
            Elem::Complex(round(dtype, re), round(dtype, im))
        }
    }
}

/// A float rounded to what `dtype` holds.
pub(crate) fn round(dtype: DType, it: f64) -> f64 {
    match dtype {
        DType::F16 | DType::C32 => f16::from_f32(it as f32).to_f64(),
        DType::BF16 => bf16::from_f32(it as f32).to_f64(),
        DType::F32 | DType::C64 => f64::from(it as f32),
        _ => it,
    }
}
