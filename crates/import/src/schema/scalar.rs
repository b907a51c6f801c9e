//! The schema's own numbers for dtypes, layouts and memory formats, and its floats.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::schema::scalar;

/// An enum that the schema writes as a number.
pub(super) trait Numbered: Sized {
    /// What it is, for messages.
    const WHAT: &str;

    fn from_number(number: i64) -> Option<Self>;
}

/// Reads a [`Numbered`]. Inside of a visitor, unlike in `#[serde(try_from)]`, an error still knows
/// its place.
pub(super) struct NumberedVisitor<T>(pub(super) PhantomData<T>);

impl<T: Numbered> Visitor<'_> for NumberedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the number of a {}", T::WHAT)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::from_number(number).ok_or_else(|| E::custom(format!("unknown {} {number}", T::WHAT)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

macro_rules! deserialize_numbered {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                from.deserialize_i64(scalar::NumberedVisitor(std::marker::PhantomData))
            }
        }
    )*};
}

pub(super) use deserialize_numbered;

deserialize_numbered!(ScalarType, Layout, MemoryFormat);

/// The type of one element, under the schema's number (which is not c10's).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names say it: kind and width in bits")]
pub enum ScalarType {
    U8,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
    C32,
    C64,
    C128,
    Bool,
    BF16,
    U16,
    F8E4M3FN,
    F8E5M2,
    F8E4M3FNUZ,
    F8E5M2FNUZ,
    F8E8M0FNU,
    U32,
    U64,
}

/// The schema's number, our name, PyTorch's name, the typed storage of old pickles, and bytes.
const SCALAR_TYPES: &[(i64, ScalarType, &str, &str, &str, u8)] = &[
    (1, ScalarType::U8, "u8", "uint8", "ByteStorage", 1),
    (2, ScalarType::I8, "i8", "int8", "CharStorage", 1),
    (3, ScalarType::I16, "i16", "int16", "ShortStorage", 2),
    (4, ScalarType::I32, "i32", "int32", "IntStorage", 4),
    (5, ScalarType::I64, "i64", "int64", "LongStorage", 8),
    (6, ScalarType::F16, "f16", "float16", "HalfStorage", 2),
    (7, ScalarType::F32, "f32", "float32", "FloatStorage", 4),
    (8, ScalarType::F64, "f64", "float64", "DoubleStorage", 8),
    (9, ScalarType::C32, "c32", "complex32", "", 4),
    (10, ScalarType::C64, "c64", "complex64", "ComplexFloatStorage", 8),
    (11, ScalarType::C128, "c128", "complex128", "ComplexDoubleStorage", 16),
    (12, ScalarType::Bool, "bool", "bool", "BoolStorage", 1),
    (13, ScalarType::BF16, "bf16", "bfloat16", "BFloat16Storage", 2),
    (28, ScalarType::U16, "u16", "uint16", "", 2),
    (29, ScalarType::F8E4M3FN, "f8e4m3fn", "float8_e4m3fn", "", 1),
    (30, ScalarType::F8E5M2, "f8e5m2", "float8_e5m2", "", 1),
    (31, ScalarType::F8E4M3FNUZ, "f8e4m3fnuz", "float8_e4m3fnuz", "", 1),
    (32, ScalarType::F8E5M2FNUZ, "f8e5m2fnuz", "float8_e5m2fnuz", "", 1),
    (33, ScalarType::F8E8M0FNU, "f8e8m0fnu", "float8_e8m0fnu", "", 1),
    (34, ScalarType::U32, "u32", "uint32", "", 4),
    (35, ScalarType::U64, "u64", "uint64", "", 8),
];

impl ScalarType {
    /// Its name in IR text.
    pub fn name(self) -> &'static str {
        SCALAR_TYPES.iter().find(|row| row.1 == self).map_or("", |row| row.2)
    }

    /// How many bytes an element has.
    pub fn bytes(self) -> u8 {
        SCALAR_TYPES.iter().find(|row| row.1 == self).map_or(1, |row| row.5)
    }

    /// The dtype that `torch.<name>` is.
    pub(crate) fn from_torch(name: &str) -> Option<ScalarType> {
        SCALAR_TYPES.iter().find(|row| row.3 == name).map(|row| row.1)
    }

    /// The dtype of the elements of `torch.<name>`, a typed storage.
    pub(crate) fn from_storage(name: &str) -> Option<ScalarType> {
        SCALAR_TYPES.iter().find(|row| !name.is_empty() && row.4 == name).map(|row| row.1)
    }
}

impl Numbered for ScalarType {
    const WHAT: &str = "scalar type";

    fn from_number(number: i64) -> Option<ScalarType> {
        SCALAR_TYPES.iter().find(|row| row.0 == number).map(|row| row.1)
    }
}

impl fmt::Display for ScalarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the elements of a tensor are found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "PyTorch's names")]
pub enum Layout {
    Unknown,
    SparseCoo,
    SparseCsr,
    SparseCsc,
    SparseBsr,
    SparseBsc,
    Mkldnn,
    Strided,
}

impl Numbered for Layout {
    const WHAT: &str = "layout";

    fn from_number(number: i64) -> Option<Layout> {
        match number {
            0 => Some(Layout::Unknown),
            1 => Some(Layout::SparseCoo),
            2 => Some(Layout::SparseCsr),
            3 => Some(Layout::SparseCsc),
            4 => Some(Layout::SparseBsr),
            5 => Some(Layout::SparseBsc),
            6 => Some(Layout::Mkldnn),
            7 => Some(Layout::Strided),
            _ => None,
        }
    }
}

/// An order of strides that an operator is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "PyTorch's names")]
pub enum MemoryFormat {
    Unknown,
    Contiguous,
    ChannelsLast,
    ChannelsLast3d,
    Preserve,
}

impl Numbered for MemoryFormat {
    const WHAT: &str = "memory format";

    fn from_number(number: i64) -> Option<MemoryFormat> {
        match number {
            0 => Some(MemoryFormat::Unknown),
            1 => Some(MemoryFormat::Contiguous),
            2 => Some(MemoryFormat::ChannelsLast),
            3 => Some(MemoryFormat::ChannelsLast3d),
            4 => Some(MemoryFormat::Preserve),
            _ => None,
        }
    }
}

/// A device.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Deserialize)]
pub struct Device {
    /// `cpu`, `cuda`, `meta`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one, where there are several.
    #[serde(default)]
    pub index: Option<i64>,
}

/// A float: a number, or one of the three words that JSON has no number for.
#[derive(Clone, Copy)]
struct Float(f64);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Float, D::Error> {
        struct FloatVisitor;

        impl Visitor<'_> for FloatVisitor {
            type Value = Float;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a number, "Infinity", "-Infinity" or "NaN""#)
            }

            fn visit_f64<E>(self, number: f64) -> Result<Float, E> {
                Ok(Float(number))
            }

            #[expect(clippy::cast_precision_loss, reason = "as Python's float(int)")]
            fn visit_i64<E>(self, number: i64) -> Result<Float, E> {
                Ok(Float(number as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "as Python's float(int)")]
            fn visit_u64<E>(self, number: u64) -> Result<Float, E> {
                Ok(Float(number as f64))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Float, E> {
                match word {
                    "Infinity" => Ok(Float(f64::INFINITY)),
                    "-Infinity" => Ok(Float(f64::NEG_INFINITY)),
                    "NaN" => Ok(Float(f64::NAN)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }

        deserializer.deserialize_any(FloatVisitor)
    }
}

pub(super) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Float::deserialize(deserializer).map(|it| it.0)
}

pub(super) fn floats<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    Ok(Vec::<Float>::deserialize(deserializer)?.into_iter().map(|it| it.0).collect())
}

pub(super) fn float_lists<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Vec<f64>>, D::Error> {
    let lists = Vec::<Vec<Float>>::deserialize(deserializer)?;
    Ok(lists.into_iter().map(|list| list.into_iter().map(|it| it.0).collect()).collect())
}
