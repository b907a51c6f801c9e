//! Element types.
#![expect(unsafe_code, reason = "promises that a Rust type has an element's layout")]

use std::fmt;

use half::{bf16, f16};

macro_rules! dtypes {
    ($($variant:ident = $number:literal, $size:literal, $name:literal;)*) => {
        /// An element type; the numbers are those of the C interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum DType {
            $(#[doc = concat!("`", $name, "`.")] $variant = $number,)*
        }

        impl DType {
            /// All of them.
            pub const ALL: &'static [DType] = &[$(DType::$variant),*];

            /// By its number in the C interface.
            pub fn from_number(number: i32) -> Option<DType> {
                match number {
                    $($number => Some(DType::$variant),)*
                    _ => None,
                }
            }

            /// PyTorch's name for it, without "torch.".
            pub fn name(self) -> &'static str {
                match self {
                    $(DType::$variant => $name,)*
                }
            }

            /// Bytes of an element.
            pub const fn size(self) -> usize {
                match self {
                    $(DType::$variant => $size,)*
                }
            }
        }
    };
}

dtypes! {
    U8 = 0, 1, "uint8";
    I8 = 1, 1, "int8";
    I16 = 2, 2, "int16";
    I32 = 3, 4, "int32";
    I64 = 4, 8, "int64";
    F16 = 5, 2, "float16";
    F32 = 6, 4, "float32";
    F64 = 7, 8, "float64";
    C32 = 8, 4, "complex32";
    C64 = 9, 8, "complex64";
    C128 = 10, 16, "complex128";
    Bool = 11, 1, "bool";
    BF16 = 15, 2, "bfloat16";
    F8E5M2 = 23, 1, "float8_e5m2";
    F8E4M3FN = 24, 1, "float8_e4m3fn";
    F8E5M2FNUZ = 25, 1, "float8_e5m2fnuz";
    F8E4M3FNUZ = 26, 1, "float8_e4m3fnuz";
    U16 = 27, 2, "uint16";
    U32 = 28, 4, "uint32";
    U64 = 29, 8, "uint64";
}

impl DType {
    /// By the name [`DType::name`] gives.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// The number in the C interface.
    pub fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Complex<T> {
    /// The real part.
    pub re: T,
    /// The imaginary part.
    pub im: T,
}

/// A Rust type that is a tensor's element.
///
/// # Safety
///
/// A value has the size of the dtype, no padding, and no drop glue; and every
/// bit pattern is a value, except for `bool`, where bytes are looked at first.
pub unsafe trait Element: Copy + Send + Sync + 'static {
    /// The element type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($type:ty = $variant:ident;)*) => {
        $(
            // SAFETY: the primitive (or pair, or wrapper of an integer) has the
            // dtype's size and takes every bit pattern; bool is the exception named.
            unsafe impl Element for $type {
                const DTYPE: DType = DType::$variant;
            }
            const _: () = assert!(size_of::<$type>() == DType::$variant.size());
        )*
    };
}

elements! {
    u8 = U8;
    i8 = I8;
    i16 = I16;
    i32 = I32;
    i64 = I64;
    f16 = F16;
    f32 = F32;
    f64 = F64;
    Complex<f32> = C64;
    Complex<f64> = C128;
    bool = Bool;
    bf16 = BF16;
    u16 = U16;
    u32 = U32;
    u64 = U64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_round_trip() {
        for &dtype in DType::ALL {
            assert_eq!(DType::from_number(dtype.number()), Some(dtype));
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
        }
        assert_eq!(DType::from_number(12), None);
        assert_eq!(DType::from_name("float31"), None);
    }
}
