//! Scalar functions in C++: one expression each, on single elements and on lanes.

use ir::{DType, scalar::ScalarFn};

use crate::{names::register_type, value::Reg};

/// The expression that applies `function`; lanes if any operand has lanes.
/// Results in half types are rounded as a store would round them.
pub(crate) fn apply(function: ScalarFn, operands: &[&Reg], result: DType) -> (String, bool) {
    let lanes = operands.iter().any(|it| it.lanes);
    let main = operands[operands.len() - 1].dtype;
    let text = match lanes {
        true => {
            let vectors: Vec<String> = operands.iter().map(|it| it.vector()).collect();
            vector(function, &vectors, main)
        }
        false => single(function, operands, main),
    };
    let text = match (result, lanes) {
        (DType::F16 | DType::BF16, true) => format!("tt::round_to<{}>({text})", half(result)),
        (DType::F16 | DType::BF16, false) => {
            format!("tt::round_to<{}>(tt::splat<N>(float({text})))[0]", half(result))
        }
        _ => text,
    };
    (text, lanes)
}

/// The header that declares the function for lanes, beside `vec.h`.
pub(crate) fn header(function: ScalarFn) -> Option<&'static str> {
    use ScalarFn as F;
    match function {
        F::FloorDiv | F::TruncDiv | F::Rem | F::Fmod | F::Gcd | F::Pow => Some("vec_int.h"),
        F::Tan
        | F::Asin
        | F::Acos
        | F::Atan
        | F::Sinh
        | F::Cosh
        | F::Asinh
        | F::Acosh
        | F::Atanh
        | F::Log10
        | F::Erfc
        | F::Erfinv
        | F::Lgamma
        | F::Digamma
        | F::Atan2
        | F::Hypot
        | F::NextAfter
        | F::Zeta => Some("vec_libm.h"),
        F::Floor
        | F::Ceil
        | F::Trunc
        | F::Round
        | F::Sqrt
        | F::Rsqrt
        | F::Reciprocal
        | F::Exp
        | F::Exp2
        | F::Expm1
        | F::Log
        | F::Log2
        | F::Log1p
        | F::Sin
        | F::Cos
        | F::Tanh
        | F::Erf
        | F::Sigmoid
        | F::CopySign
        | F::SignBit
        | F::IsInf => Some("vec_math.h"),
        _ => None,
    }
}

pub(crate) fn half(dtype: DType) -> &'static str {
    if dtype == DType::F16 { "tt::f16" } else { "tt::bf16" }
}

fn infix(function: ScalarFn) -> Option<&'static str> {
    Some(match function {
        ScalarFn::Add => "+",
        ScalarFn::Sub => "-",
        ScalarFn::Mul => "*",
        ScalarFn::Div => "/",
        ScalarFn::And => "&",
        ScalarFn::Or => "|",
        ScalarFn::Xor => "^",
        ScalarFn::Eq => "==",
        ScalarFn::Ne => "!=",
        ScalarFn::Lt => "<",
        ScalarFn::Le => "<=",
        ScalarFn::Gt => ">",
        ScalarFn::Ge => ">=",
        _ => return None,
    })
}

/// The function of `tt::` for lanes.
fn named(function: ScalarFn) -> &'static str {
    match function {
        ScalarFn::Min => "minimum",
        ScalarFn::Max => "maximum",
        ScalarFn::Rem => "remainder",
        ScalarFn::Round => "round_even",
        ScalarFn::FloorDiv => "div_floor",
        ScalarFn::TruncDiv => "div_trunc",
        it => it.name(),
    }
}

fn vector(function: ScalarFn, operands: &[String], dtype: DType) -> String {
    let is_bool = dtype == DType::Bool;
    match (function, operands) {
        (ScalarFn::Pow, [a, b]) if dtype.is_int() => format!("tt::ipow({a}, {b})"),
        (ScalarFn::Add, [a, b]) if is_bool => format!("({a} | {b})"),
        (ScalarFn::Mul, [a, b]) if is_bool => format!("({a} & {b})"),
        (ScalarFn::Not, [a]) if is_bool => format!("({a} ^ tt::splat<N>(true))"),
        (ScalarFn::Not, [a]) => format!("(~{a})"),
        (ScalarFn::Neg, [a]) => format!("(-{a})"),
        (ScalarFn::IsNan | ScalarFn::IsInf, [_]) if !dtype.is_float() => {
            "tt::splat<N>(false)".into()
        }
        // Comparing bools lane by lane compares their bytes.
        (it, [a, b]) if is_bool && it.rule() == ir::scalar::ResultRule::Bool => {
            let byte = |it: &String| format!("tt::convert<uint8_t>(tt::vec<bool, N>({it}))");
            format!("({} {} {})", byte(a), infix(it).unwrap_or("=="), byte(b))
        }
        (it, [a, b]) => match infix(it) {
            Some(sign) => format!("({a} {sign} {b})"),
            None => format!("tt::{}({a}, {b})", named(it)),
        },
        (ScalarFn::Select, [c, a, b]) if is_bool => {
            format!("tt::select({c}, tt::vec<bool, N>({a}), tt::vec<bool, N>({b}))")
        }
        (it, operands) => format!("tt::{}({})", named(it), operands.join(", ")),
    }
}

/// On single elements: arithmetic as it is, all else through one vector, so that a function has
/// the same value on an element as in a lane.
fn single(function: ScalarFn, operands: &[&Reg], dtype: DType) -> String {
    let names: Vec<&str> = operands.iter().map(|it| it.name.as_str()).collect();
    let ty = register_type(dtype);
    let is_bool = dtype == DType::Bool;
    match (function, &names[..]) {
        (ScalarFn::Select, [c, a, b]) => return format!("({c} ? {a} : {b})"),
        (ScalarFn::Add, [a, b]) if is_bool => return format!("({a} || {b})"),
        (ScalarFn::Mul, [a, b]) if is_bool => return format!("({a} && {b})"),
        (ScalarFn::Not, [a]) if is_bool => return format!("(!{a})"),
        (ScalarFn::Not, [a]) => return format!("{ty}(~{a})"),
        (ScalarFn::IsNan | ScalarFn::IsInf, [_]) if !dtype.is_float() => return "false".to_owned(),
        (ScalarFn::Neg, [a]) if dtype.is_float() => return format!("(-{a})"),
        // Integers wrap: unsigned arithmetic has no overflow.
        (ScalarFn::Neg, [a]) => return format!("{ty}(0 - uint64_t({a}))"),
        (ScalarFn::Add | ScalarFn::Sub | ScalarFn::Mul, [a, b]) if dtype.is_int() => {
            let sign = infix(function).unwrap_or("+");
            return format!("{ty}(uint64_t({a}) {sign} uint64_t({b}))");
        }
        (it, [a, b]) => {
            if let Some(sign) = infix(it) {
                return match it.rule() {
                    ir::scalar::ResultRule::Bool => format!("({a} {sign} {b})"),
                    _ => format!("{ty}({a} {sign} {b})"),
                };
            }
        }
        _ => (),
    }
    let vectors: Vec<String> = names.iter().map(|it| format!("tt::splat<N>({it})")).collect();
    format!("{}[0]", vector(function, &vectors, dtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a header with what it includes.
    fn with_includes(name: &str) -> String {
        let found = crate::KERNEL_HEADERS.iter().find(|it| it.0.ends_with(name));
        let text = found.map_or("", |it| it.1);
        let included = text.lines().filter_map(|it| it.strip_prefix("#include \""));
        let included = included.filter_map(|it| it.strip_suffix('"')).map(with_includes);
        included.chain([text.to_owned()]).collect()
    }

    #[test]
    fn the_header_of_a_function_declares_it() {
        for function in ScalarFn::ALL {
            // The power of floats has a header of its own.
            let more = if *function == ScalarFn::Pow { "vec_libm.h" } else { "vec.h" };
            let own = header(*function).map_or(String::new(), with_includes);
            let text = with_includes("vec.h") + &with_includes(more) + &own;
            for dtype in
                [DType::F32, DType::I32].into_iter().filter(|it| function.domain().has(*it))
            {
                let printed = vector(
                    *function,
                    &["a", "b", "c"].map(str::to_owned)[..function.arity()],
                    dtype,
                );
                let Some((_, call)) = printed.split_once("tt::") else { continue };
                let (name, _) = call.split_once(['(', '<']).unwrap();
                // Declared by a macro or not, it is mentioned as a word.
                let is_declared = text
                    .split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
                    .any(|word| word == name);
                assert!(is_declared, "{printed} is not in {:?}", header(*function));
            }
        }
    }
}
