//! Names and literals: the only way for text from outside into C++.

use std::fmt::Write;

use ir::{DType, Number};

/// A C++ identifier from any text: letters, digits and `_` stay, all else becomes `_`.
/// Different texts may give one identifier; `taken` keeps them apart.
pub fn identifier(text: &str, taken: &mut Vec<String>) -> String {
    let mut base: String =
        text.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    if base.is_empty() || base.starts_with(|it: char| it.is_ascii_digit() || it == '_') {
        base.insert(0, 'x');
    }
    let mut res = base.clone();
    let mut n = 1;
    while taken.contains(&res) {
        n += 1;
        res = format!("{base}_{n}");
    }
    taken.push(res.clone());
    res
}

/// A C string literal. Bytes outside printable ASCII are octal escapes of three digits, which no
/// following character can lengthen; `?` is escaped against trigraphs.
pub fn string(text: &str) -> String {
    let mut res = String::with_capacity(text.len() + 2);
    res.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' => res.push_str("\\\""),
            b'\\' => res.push_str("\\\\"),
            b'?' => res.push_str("\\?"),
            b'\n' => res.push_str("\\n"),
            b' '..=b'~' => res.push(byte as char),
            byte => write!(res, "\\{byte:03o}").expect("writing to a string does not fail"),
        }
    }
    res.push('"');
    res
}

/// Text inside a line comment: nothing in it can end the line or splice the next.
pub fn comment(text: &str) -> String {
    text.chars()
        .map(|it| match it {
            '\\' => '/',
            it if it.is_ascii() && !it.is_ascii_control() => it,
            _ => '?',
        })
        .collect()
}

/// The C++ type of an element in memory.
pub fn memory_type(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::U8 => "uint8_t",
        DType::I8 => "int8_t",
        DType::I16 => "int16_t",
        DType::U16 => "uint16_t",
        DType::I32 => "int32_t",
        DType::U32 => "uint32_t",
        DType::I64 => "int64_t",
        DType::U64 => "uint64_t",
        DType::F16 => "tt::f16",
        DType::BF16 => "tt::bf16",
        DType::F32 => "float",
        DType::F64 => "double",
        DType::C32 => "tt::c32",
        DType::C64 => "tt::c64",
        DType::C128 => "tt::c128",
    }
}

/// The C++ type of an element in a register.
pub fn register_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 | DType::BF16 => "float",
        it => memory_type(it),
    }
}

/// The name of the dtype's number in `tintype_model.h`.
pub fn dtype_number(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "TT_BOOL",
        DType::U8 => "TT_U8",
        DType::I8 => "TT_I8",
        DType::I16 => "TT_I16",
        DType::U16 => "TT_U16",
        DType::I32 => "TT_I32",
        DType::U32 => "TT_U32",
        DType::I64 => "TT_I64",
        DType::U64 => "TT_U64",
        DType::F16 => "TT_F16",
        DType::BF16 => "TT_BF16",
        DType::F32 => "TT_F32",
        DType::F64 => "TT_F64",
        DType::C32 => "TT_C32",
        DType::C64 => "TT_C64",
        DType::C128 => "TT_C128",
    }
}

/// A 64-bit integer. The least one has no literal of its own.
pub fn int(value: i64) -> String {
    match value {
        i64::MIN => "INT64_MIN".to_owned(),
        it if i32::try_from(it).is_ok() => it.to_string(),
        it => format!("INT64_C({it})"),
    }
}

/// A float that is exactly `value`, in the type of a register of `dtype`.
pub fn float(value: f64, dtype: DType) -> String {
    let (suffix, nan, inf) = match dtype {
        DType::F64 => ("", "__builtin_nan(\"\")", "__builtin_inf()"),
        _ => ("f", "__builtin_nanf(\"\")", "__builtin_inff()"),
    };
    if value.is_nan() {
        return nan.to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { format!("-{inf}") } else { inf.to_owned() };
    }
    // A hexadecimal literal would be exact too; the shortest decimal that reads back as the same
    // value is easier to read.
    let text = match dtype {
        DType::F64 => format!("{value:?}"),
        _ => format!("{:?}", value as f32),
    };
    format!("{text}{suffix}")
}

/// A number as a register of `dtype`; `size` prints a size expression.
pub fn number(value: &Number, dtype: DType, size: &dyn Fn(&sym::Expr) -> String) -> String {
    let ty = register_type(dtype);
    match (value, dtype) {
        (Number::Bool(it), DType::Bool) => it.to_string(),
        (Number::Bool(it), _) => format!("{ty}({})", u8::from(*it)),
        (Number::Int(it), DType::Bool) => format!("(({}) != 0)", size(it)),
        (Number::Int(it), dtype) if dtype.is_float() => match it.as_int() {
            Some(it) => float(rounded(it as f64, dtype), dtype),
            None => format!("{ty}({})", size(it)),
        },
        (Number::Int(it), DType::U64 | DType::I64) => format!("{ty}({})", size(it)),
        (Number::Int(it), _) => format!("{ty}({})", size(it)),
        (Number::Float(it), DType::Bool) => (*it != 0.0).to_string(),
        (Number::Float(it), dtype) if dtype.is_float() => float(rounded(*it, dtype), dtype),
        (Number::Float(it), _) => {
            let elem = ir::scalar::cast(dtype, ir::scalar::Elem::Float(*it));
            format!("{ty}({})", int(elem.to_i64()))
        }
        (Number::Complex(re, im), _) => {
            let part = dtype.part().unwrap_or(dtype);
            format!("{ty}{{{}, {}}}", float(*re, part), float(*im, part))
        }
    }
}

/// The float as `dtype` holds it.
fn rounded(value: f64, dtype: DType) -> f64 {
    ir::scalar::cast(dtype, ir::scalar::Elem::Float(value)).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_inside_its_literal() {
        assert_eq!(string("a\"b\\c\n\u{1}9??/"), r#""a\"b\\c\n\0019\?\?/""#);
        assert_eq!(comment("x */ \\\n y"), "x */ /? y");
        let mut taken = Vec::new();
        assert_eq!(identifier("fc.weight", &mut taken), "fc_weight");
        assert_eq!(identifier("fc/weight", &mut taken), "fc_weight_2");
        assert_eq!(identifier("int main(){", &mut taken), "int_main___");
        assert_eq!(identifier("", &mut taken), "x");
    }

    #[test]
    fn numbers_read_back_exactly() {
        assert_eq!(int(i64::MIN), "INT64_MIN");
        assert_eq!(float(0.1, DType::F32), "0.1f");
        assert_eq!(float(1e30, DType::F64), "1e30");
        assert_eq!(float(f64::NEG_INFINITY, DType::F32), "-__builtin_inff()");
        assert_eq!(float(-0.0, DType::F32), "-0.0f");
    }
}
