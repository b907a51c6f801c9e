//! Texts: the infix form, sympy's `srepr`, and hostile ones.

use sym::{Expr, Facts, Range, parse, parse_srepr, simplify, to_cpp};

#[track_caller]
fn shows(text: &str, expected: &str) {
    let expr = parse(text).unwrap();
    assert_eq!(expr.to_string(), expected, "{text}");
    assert_eq!(parse(expected), Ok(expr), "{expected}");
}

#[test]
fn normal_forms() {
    shows("1 + 2*s0", "2*s0 + 1");
    shows("s0 - s0", "0");
    shows("-s0", "-1*s0");
    shows("b - a", "-1*a + b");
    shows("a - 3*b - 4", "a - 3*b - 4");
    shows("(a + b)*(a - b)", "a**2 - b**2");
    shows("s1*s0*s1", "s0*s1**2");
    shows("(s0 + 7)//8", "(s0 + 7)//8");
    shows("(s0 + 15)//8", "(s0 + 7)//8 + 1");
    shows("2*(s0//2)", "2*(s0//2)");
    shows("(4*s0 + 6)//8", "(s0 + 1)//2");
    shows("(4*s0 + 6*s1 + 5)//8", "(2*s0 + 3*s1 + 2)//4");
    shows("(s0//2)//3", "s0//6");
    shows("(s0//2 + 1)//3", "(s0 + 2)//6");
    shows("s0//(-2)", "-1*((s0 + 1)//2)");
    shows("(-s0)//8", "-1*((s0 + 7)//8)");
    shows("s0//s1//s2", "(s0//s1)//s2");
    shows("s0//(s1//s2)", "s0//(s1//s2)");
    shows("s0//0", "s0//0");
    shows("0//s0", "0//s0");
    shows("Mod(9*s0 + 17, 8)", "Mod(s0 + 1, 8)");
    shows("Mod(6*s0 + 5, 8)", "2*Mod(-1*s0 + 2, 4) + 1");
    shows("Mod(Mod(s0, 16) + 3, 8)", "Mod(s0 + 3, 8)");
    shows("Mod(s0, -4)", "-1*Mod(-1*s0, 4)");
    shows("Max(2, Max(s0, 1), s0 + 1)", "Max(2, s0 + 1)");
    shows("Abs(-2*a)", "2*Abs(a)");
    shows("BitAnd(s0, 7)", "Mod(s0, 8)");
    shows("Le(2*a + 3, 9)", "Le(a, 3)");
    shows("Not(Le(a, 3))", "Le(4, a)");
    shows("Eq(2*a, 3)", "0");
    shows("Not(Eq(a, b))", "Not(Eq(a, b))");
    shows("Where(Not(Eq(a, 0)), 1, 2)", "Where(Eq(a, 0), 2, 1)");
    shows("Float(1.5)*2", "Float(3.0)");
    shows("ToFloat(a) + zf0", "FloatAdd(zf0, ToFloat(a))");
    shows("-9223372036854775808*s0", "-9223372036854775808*s0");
    shows("s0 - 9223372036854775807", "s0 - 9223372036854775807");
    shows("Undefined()", "Undefined()");
}

#[track_caller]
fn reads(text: &str, expected: &str) {
    match parse_srepr(text) {
        Ok(it) => assert_eq!(it.to_string(), expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

const S0: &str = "Symbol('s0', positive=True, integer=True)";
const U0: &str = "Symbol('u0', integer=True)";

#[test]
fn srepr_of_polynomials() {
    reads(S0, "s0");
    reads("Integer(-3)", "-3");
    reads(&format!("Mul(Integer(4), {S0})"), "4*s0");
    reads(
        &format!("Add(Mul(Integer(2), {S0}), Mul(Integer(-1), {U0}), Integer(7))"),
        "2*s0 - u0 + 7",
    );
    reads(&format!("Pow({S0}, Integer(2))"), "s0**2");
    reads(&format!("Pow(Integer(2), {U0})"), "Pow(2, u0)");
    reads(&format!("torch.utils._sympy.functions.Identity({S0})"), "s0");
}

#[test]
fn srepr_of_fractions() {
    reads(&format!("floor(Mul(Rational(1, 2), {S0}))"), "s0//2");
    reads(&format!("ceiling(Mul(Rational(1, 2), {S0}))"), "(s0 + 1)//2");
    reads(&format!("Mul(Rational(1, 2), {S0})"), "s0//2");
    reads(&format!("Mul(Rational(3, 2), Integer(2), {S0})"), "3*s0");
    reads(&format!("floor(Mul({U0}, Pow({S0}, Integer(-1))))"), "u0//s0");
    reads(&format!("floor(Add(Rational(1, 3), Mul(Rational(1, 2), {S0})))"), "s0//2");
    reads(&format!("LessThan(Mul(Rational(1, 2), {S0}), Integer(4))"), "Le(s0, 8)");
    reads("Rational(-7, 2)", "-4");
}

/// Each line has the `srepr` of a size as sympy 1.14 writes it, values of `s0`, `s1` and `u0`, and
/// the size's value there as sympy computes it.
#[test]
fn srepr_has_the_values_of_sympy() {
    for line in include_str!("sympy.txt").lines() {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap();
        let size = parse_srepr(column()).unwrap();
        let values: Vec<i64> = column().split(',').map(|it| it.parse().unwrap()).collect();
        let value = size.eval(&|name| {
            ["s0", "s1", "u0"].iter().position(|it| *it == name).map(|at| values[at])
        });
        assert_eq!(value, Ok(column().parse().unwrap()), "{line}");
    }
}

/// What Python's `round` gives.
#[test]
fn decimals_are_rounded_by_their_exact_digits() {
    let cases = [
        (1.115, 2, 1.11),
        (2.675, 2, 2.67),
        (0.125, 2, 0.12),
        (0.375, 2, 0.38),
        (-1.115, 2, -1.11),
        (5.015, 2, 5.01),
        (2.5, 0, 2.0),
        (25.0, -1, 20.0),
        (35.0, -1, 40.0),
        (1e300, 5, 1e300),
        (123_456_789.123_456_79, 7, 123_456_789.123_456_8),
    ];
    for (value, digits, rounded) in cases {
        let expr = Expr::float(value).round_decimal(&Expr::int(digits));
        let found = expr.eval_number(&|_| None).map(sym::Number::to_f64);
        assert_eq!(found, Ok(rounded), "round({value}, {digits})");
    }
}

#[test]
fn srepr_of_functions() {
    let cases = [
        ("FloorDiv({}, Integer(8))", "s0//8"),
        ("CleanDiv({}, Integer(8))", "s0//8"),
        ("CeilDiv({}, Integer(8))", "(s0 + 7)//8"),
        ("Mod({}, Integer(8))", "Mod(s0, 8)"),
        ("PythonMod({}, Integer(8))", "Mod(s0, 8)"),
        ("ModularIndexing({}, Integer(4), Integer(3))", "Mod(s0//4, 3)"),
        ("PowByNatural({}, Integer(3))", "s0**3"),
        ("LShift({}, Integer(3))", "8*s0"),
        ("RShift({}, Integer(3))", "s0//8"),
        ("BitwiseFn_bitwise_and({}, Integer(6))", "BitAnd(6, s0)"),
        ("BitwiseFn_bitwise_or({}, Integer(6))", "BitOr(6, s0)"),
        ("Min({}, Integer(6))", "Min(6, s0)"),
        ("Max({}, Integer(6))", "Max(6, s0)"),
        ("Max({}, oo)", "error"),
        ("Min({}, int_oo)", "s0"),
        ("Max({}, -int_oo)", "s0"),
        ("Abs({})", "Abs(s0)"),
        ("Equality({}, Integer(6))", "Eq(s0, 6)"),
        ("Unequality({}, Integer(6))", "Not(Eq(s0, 6))"),
        ("StrictLessThan({}, Integer(6))", "Le(s0, 5)"),
        ("LessThan({}, Integer(6))", "Le(s0, 6)"),
        ("StrictGreaterThan({}, Integer(6))", "Le(7, s0)"),
        ("GreaterThan({}, Integer(6))", "Le(6, s0)"),
        ("LessThan({}, oo)", "1"),
        ("StrictLessThan({}, -oo)", "0"),
        ("And(GreaterThan({}, Integer(2)), true)", "Le(2, s0)"),
        ("Or(GreaterThan({}, Integer(2)), false)", "Le(2, s0)"),
        ("Not(GreaterThan({}, Integer(2)))", "Le(s0, 1)"),
        ("Where(GreaterThan({}, Integer(2)), Integer(1), Integer(5))", "Where(Le(2, s0), 1, 5)"),
        (
            "Piecewise(ExprCondPair(Integer(3), LessThan({}, Integer(4))), \
             ExprCondPair(Integer(9), true))",
            "Where(Le(s0, 4), 3, 9)",
        ),
        (
            "IsNonOverlappingAndDenseIndicator({}, Integer(4), Integer(4), Integer(1))",
            "Dense(s0, 4, 4, 1)",
        ),
        ("TruncToInt(IntTrueDiv({}, Integer(2)))", "TruncToInt(IntTrueDiv(s0, 2))"),
        (
            "CeilToInt(FloatTrueDiv(ToFloat({}), Float('2.5', precision=53)))",
            "CeilToInt(FloatTrueDiv(ToFloat(s0), Float(2.5)))",
        ),
        (
            "RoundToInt(Mul(Float('0.5', precision=53), ToFloat({})))",
            "RoundToInt(FloatMul(Float(0.5), ToFloat(s0)))",
        ),
        (
            "FloorToInt(FloatPow(ToFloat({}), Float('0.5', precision=53)))",
            "FloorToInt(FloatPow(ToFloat(s0), Float(0.5)))",
        ),
        ("FloorToInt(OpaqueUnaryFn_sqrt(ToFloat({})))", "FloorToInt(sqrt(ToFloat(s0)))"),
        ("FloorToInt(Pow({}, Rational(1, 2)))", "FloorToInt(sqrt(ToFloat(s0)))"),
        ("RoundDecimal(ToFloat({}), Integer(2))", "RoundDecimal(ToFloat(s0), 2)"),
        ("TruncToFloat(Mul(Symbol('zf0'), {}))", "TruncToFloat(FloatMul(zf0, ToFloat(s0)))"),
        ("FloorDiv(ToFloat({}), Integer(2))", "error"),
        ("OpaqueUnaryFn_system({})", "error"),
        ("Piecewise(ExprCondPair(Integer(3), LessThan({}, Integer(4))))", "error"),
        ("Lambda({})", "error"),
    ];
    for (text, expected) in cases {
        let text = text.replace("{}", S0);
        match (parse_srepr(&text), expected) {
            (Err(_), "error") => {}
            (Ok(it), "error") => assert!(it.is_real(), "{text} is {it}"),
            _ => reads(&text, expected),
        }
    }
}

/// What is read is a size or an error, at once and with a place.
#[test]
fn hostile_texts() {
    let many = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let infix = [
        String::new(),
        "s0 +".into(),
        "1 2".into(),
        "99999999999999999999".into(),
        "9223372036854775807 + 1".into(),
        "9223372036854775807*s0*2".into(),
        "s0; system()".into(),
        "é".into(),
        "s0\0".into(),
        "Evil(s0)".into(),
        "Mod(s0)".into(),
        "Max()".into(),
        "Float(abc)".into(),
        "Float(".into(),
        many("(", "1", ")", 100_000),
        many("Abs(1 + ", "s0", ")", 100_000),
        many("Max(t, 1 + ", "s0", ")", 150),
        "(".repeat(100_000),
        "s0*".repeat(100_000),
        "(a + b)*".repeat(5_000) + "(a + b)",
        (0..20_000).map(|it| format!("s{it} + ")).collect::<String>() + "1",
        "a**4294967295*a".into(),
        "2**9223372036854775807".into(),
    ];
    for text in infix {
        let error = parse(&text).err();
        let start: String = text.chars().take(40).collect();
        assert!(error.is_some_and(|it| it.at <= text.len()), "{start}");
    }
    let srepr = [
        String::new(),
        "Symbol('s0; system()')".into(),
        "Symbol('\\x41')".into(),
        "Symbol('')".into(),
        "Symbol(s0)".into(),
        "Integer('1')".into(),
        "Integer(99999999999999999999)".into(),
        "Mul(Integer(9223372036854775807), Integer(2))".into(),
        "Symbol('s0'".into(),
        "Symbol('s0".into(),
        "Float('nope')".into(),
        "-".repeat(100_000),
        many("Not(", "true", ")", 100_000),
        many("Add(Integer(1), Mul(", "Symbol('a')", "))", 50_000),
        "Pow(Integer(2), Integer(99))".into(),
    ];
    for text in srepr {
        let error = parse_srepr(&text).err();
        let start: String = text.chars().take(40).collect();
        assert!(error.is_some_and(|it| it.at <= text.len()), "{start}");
    }
    // Long is not hostile.
    let long = "-".repeat(99_999) + "s0";
    assert_eq!(parse(&long).map(|it| it.to_string()), Ok("-1*s0".into()));
    let product = vec!["(a + b)"; 120].join("*");
    assert!(parse(&product).is_ok_and(|it| it.size() < 5_000));
}

/// The deepest and the widest sizes that there are go through everything on a small stack.
#[test]
fn limits_hold_everywhere() {
    let deeper = |it: &Expr| it.clone().max(Expr::sym("b")).modulo(&Expr::sym("c"));
    let mut deep = Expr::sym("a");
    while !deeper(&deep).is_undefined() {
        deep = deeper(&deep);
    }
    let wide = Expr::sum(&(0..4_000).map(|it| Expr::sym(&format!("s{it}"))).collect::<Vec<_>>());
    let quotients: Vec<Expr> =
        (0..1_000).map(|it| Expr::sym(&format!("s{it}")).floor_div(&Expr::int(8))).collect();
    let mut facts = Facts::new();
    facts.set_range("c", Range::at_least(1));
    facts.assume_le(&Expr::sym("a"), &Expr::sym("b"));
    for expr in [deep, wide, Expr::sum(&quotients), Expr::max_of(&quotients)] {
        assert!(!expr.is_undefined());
        assert_eq!(parse(&expr.to_string()).as_ref(), Ok(&expr));
        assert!(simplify(&expr, &facts).cost() <= expr.cost());
        assert!(!to_cpp(&expr, &facts, &|it| it.to_owned()).is_empty());
        assert_eq!(expr.eval(&|_| Some(1)), expr.subst(&|_| Some(1.into())).eval(&|_| None));
    }
}

#[test]
fn undefined_absorbs() {
    let undefined = Expr::int(i64::MAX) + 1;
    assert!(undefined.is_undefined());
    let s0 = Expr::sym("s0");
    for expr in [
        &undefined * Expr::int(0),
        &undefined - &undefined,
        undefined.floor_div(&s0),
        s0.modulo(&undefined),
        s0.clone().max(undefined.clone()),
        Expr::select(&Expr::int(1), &s0, &undefined),
        undefined.equals(&undefined),
    ] {
        assert!(expr.is_undefined(), "{expr}");
    }
    assert!(Expr::sym("1x").is_undefined());
}

#[test]
fn facts_read_back() {
    let mut facts = Facts::new();
    facts.assume_eq(&parse("s0").unwrap(), &parse("2*s2").unwrap());
    facts.assume_ge0(&parse("s0 - s1 - 1").unwrap());
    facts.set_range("s1", Range { lo: 2, hi: 1024 });
    facts.assume_eq(&parse("s1 + s3").unwrap(), &parse("s0").unwrap());
    facts.assume_eq(&parse("Mod(s1, 8)").unwrap(), &parse("3").unwrap());
    facts.set_range("u0", Range::at_least(0));
    facts.add_note("u0", "there is: u0 // 2 >= 0");
    facts.add_note("u0", "on\n  two lines");
    facts.add_note("u0", "on two lines");
    facts.add_note("u1", "of no range");
    assert_eq!(facts.note("u0"), Some("there is: u0 // 2 >= 0; on two lines"));
    let mut again = Facts::new();
    for line in facts.statements() {
        again.add_statement(&line).unwrap();
    }
    assert_eq!(facts, again);
}
