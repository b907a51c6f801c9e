//! Random expressions over the whole language of archives, as trees that know nothing of `sym`:
//! they print as sympy's `srepr` and have values by Python's rules.

/// The integer symbols of the samples. [`REAL`] comes after them.
pub(crate) const SYMBOLS: [&str; 5] = ["s0", "s1", "s2", "s77", "u0"];

/// The floating-point symbol.
pub(crate) const REAL: &str = "zf0";

/// An expression.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Int(i64),
    Sym(usize),
    Real(f64),
    RealSym,
    /// `floor` or `ceiling` of `p/q * x + r/q`.
    Rounded(&'static str, [i64; 3], Box<Tree>),
    Call(&'static str, Vec<Tree>),
}

/// A value by Python's rules.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value {
    Int(i128),
    Real(f64),
}

/// A value for each symbol.
pub(crate) type Binding = ([i64; SYMBOLS.len()], f64);

/// Numbers that are the same for the same seed, on every machine.
pub(crate) struct Chance {
    pub(crate) state: u64,
    /// Whether constants that divide are positive, as those of sizes are.
    pub(crate) positive: bool,
}

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.state;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// One of `lo..=hi`.
    pub(crate) fn between(&mut self, lo: i64, hi: i64) -> i64 {
        let span = i128::from(hi) - i128::from(lo) + 1;
        (i128::from(lo) + i128::from(self.next()) % span) as i64
    }

    pub(crate) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.between(0, items.len() as i64 - 1) as usize]
    }
}

/// An integer of at most `depth` levels.
pub(crate) fn integer(chance: &mut Chance, depth: u32) -> Tree {
    if depth == 0 || chance.between(0, 9) == 0 {
        return match chance.between(0, 9) {
            0..=5 => Tree::Sym(chance.between(0, SYMBOLS.len() as i64 - 1) as usize),
            6..=8 => Tree::Int(chance.between(-9, 9)),
            _ => Tree::Int(chance.of(&[2, 8, 16, 56, 64, 1024, -64])),
        };
    }
    let below = depth - 1;
    let many =
        |chance: &mut Chance| (0..chance.between(2, 3)).map(|_| integer(chance, below)).collect();
    let one = |chance: &mut Chance| Box::new(integer(chance, below));
    let two = |chance: &mut Chance| vec![integer(chance, below), integer(chance, below)];
    let constant = |chance: &mut Chance| {
        let it: i64 = chance.of(&[1, 2, 3, 4, 7, 8, 16, 64, -2, -3]);
        Tree::Int(if chance.positive { it.abs() } else { it })
    };
    let by_constant = |chance: &mut Chance| vec![integer(chance, below), constant(chance)];
    let small = |chance: &mut Chance| vec![integer(chance, below), Tree::Int(chance.between(0, 4))];
    match chance.between(0, 47) {
        0..=6 => Tree::Call("Add", many(chance)),
        7..=12 => Tree::Call("Mul", many(chance)),
        13..=15 => Tree::Call("FloorDiv", by_constant(chance)),
        16..=17 => Tree::Call("FloorDiv", two(chance)),
        18..=19 => Tree::Call("Mod", by_constant(chance)),
        20 => Tree::Call("Mod", two(chance)),
        21 => Tree::Call("PythonMod", two(chance)),
        22..=23 => Tree::Call("CeilDiv", by_constant(chance)),
        24 => {
            let by = chance.between(2, 9);
            let multiple = Tree::Call("Mul", vec![Tree::Int(by), *one(chance)]);
            Tree::Call("CleanDiv", vec![multiple, Tree::Int(by)])
        }
        25 => {
            let x = integer(chance, below);
            Tree::Call(
                "ModularIndexing",
                vec![x, constant(chance), Tree::Int(chance.between(1, 9))],
            )
        }
        26..=27 => Tree::Call("Min", many(chance)),
        28..=29 => Tree::Call("Max", many(chance)),
        30 => Tree::Call("Abs", vec![*one(chance)]),
        31 => Tree::Call("Pow", small(chance)),
        32 => Tree::Call("PowByNatural", small(chance)),
        33 => Tree::Call("PowByNatural", vec![Tree::Int(chance.between(-2, 3)), *one(chance)]),
        34 => Tree::Call("LShift", small(chance)),
        35 => Tree::Call(
            "RShift",
            if chance.between(0, 3) == 0 { two(chance) } else { small(chance) },
        ),
        36 => Tree::Call("BitwiseFn_bitwise_and", by_constant(chance)),
        37 => Tree::Call("BitwiseFn_bitwise_or", two(chance)),
        38 => Tree::Call("Identity", vec![*one(chance)]),
        39..=40 => {
            let name = chance.of(&["floor", "ceiling"]);
            let numbers = [chance.between(-5, 5), chance.between(2, 9), chance.between(-9, 9)];
            Tree::Rounded(name, numbers, one(chance))
        }
        41..=42 => {
            let name = chance.of(&["FloorToInt", "CeilToInt", "TruncToInt", "RoundToInt"]);
            Tree::Call(name, vec![real(chance, below)])
        }
        43..=44 => Tree::Call("Where", vec![truth(chance, below), *one(chance), *one(chance)]),
        45 => {
            let case = |it: Tree, when: Tree| Tree::Call("ExprCondPair", vec![it, when]);
            let first = case(*one(chance), truth(chance, below));
            let last = case(*one(chance), Tree::Call("true", Vec::new()));
            Tree::Call("Piecewise", vec![first, last])
        }
        46 => {
            let rank = chance.between(1, 3);
            let dims = (0..2 * rank).map(|_| integer(chance, below.min(1))).collect();
            Tree::Call("IsNonOverlappingAndDenseIndicator", dims)
        }
        _ => {
            // An infinity that decides nothing.
            let (name, end) = chance.of(&[("Min", "int_oo"), ("Max", "-int_oo")]);
            Tree::Call(name, vec![*one(chance), Tree::Call(end, Vec::new())])
        }
    }
}

/// A truth of at most `depth` levels.
pub(crate) fn truth(chance: &mut Chance, depth: u32) -> Tree {
    const RELATIONS: [&str; 6] = [
        "Equality",
        "Unequality",
        "StrictLessThan",
        "LessThan",
        "StrictGreaterThan",
        "GreaterThan",
    ];
    let below = depth.saturating_sub(1);
    match chance.between(0, if depth == 0 { 6 } else { 10 }) {
        0..=4 => {
            let (a, b) = (integer(chance, below), integer(chance, below));
            Tree::Call(chance.of(&RELATIONS), vec![a, b])
        }
        5 => {
            let end = Tree::Call(chance.of(&["oo", "-oo"]), Vec::new());
            Tree::Call(chance.of(&RELATIONS), vec![integer(chance, below), end])
        }
        6 => {
            let (a, b) = (real(chance, below), real(chance, below));
            Tree::Call(chance.of(&RELATIONS), vec![a, b])
        }
        7..=8 => {
            let parts = vec![truth(chance, below), truth(chance, below)];
            Tree::Call(chance.of(&["And", "Or"]), parts)
        }
        9 => Tree::Call("Not", vec![truth(chance, below)]),
        _ => Tree::Call(chance.of(&["true", "false"]), Vec::new()),
    }
}

fn real(chance: &mut Chance, depth: u32) -> Tree {
    const UNARY: [&str; 8] = ["sqrt", "cos", "sin", "tanh", "exp", "log", "log2", "asinh"];
    const HALVES: [f64; 6] = [0.5, -1.5, 2.0, 0.1, 1e3, -0.25];
    let below = depth.saturating_sub(1);
    let to_float = |it: Tree| Tree::Call("ToFloat", vec![it]);
    if depth == 0 {
        return match chance.between(0, 3) {
            0 => Tree::Real(chance.of(&HALVES)),
            1 => Tree::RealSym,
            _ => to_float(integer(chance, 0)),
        };
    }
    let two = |chance: &mut Chance| vec![real(chance, below), real(chance, below)];
    match chance.between(0, 19) {
        0..=3 => to_float(integer(chance, below)),
        4..=7 => Tree::Call("IntTrueDiv", vec![integer(chance, below), integer(chance, below)]),
        8..=9 => Tree::Call("FloatTrueDiv", two(chance)),
        10 => Tree::Call("FloatPow", vec![real(chance, below), Tree::Real(chance.of(&HALVES))]),
        11..=12 => Tree::Call("Add", two(chance)),
        13..=14 => Tree::Call("Mul", two(chance)),
        15 => Tree::Call("TruncToFloat", vec![real(chance, below)]),
        16 => {
            let digits = Tree::Int(chance.between(-2, 4));
            Tree::Call("RoundDecimal", vec![real(chance, below), digits])
        }
        17 => {
            // Named as the archive names it.
            let name = chance.of(&UNARY);
            Tree::Call("OpaqueUnaryFn_", vec![Tree::Call(name, vec![real(chance, below)])])
        }
        18 => Tree::Call(chance.of(&["Min", "Max"]), two(chance)),
        _ => Tree::Call("Abs", vec![real(chance, below)]),
    }
}

impl Tree {
    /// The text that an archive has for it.
    pub(crate) fn srepr(&self) -> String {
        let list = |args: &[Tree]| args.iter().map(Tree::srepr).collect::<Vec<_>>().join(", ");
        match self {
            Tree::Int(it) => format!("Integer({it})"),
            Tree::Sym(it) if SYMBOLS[*it].starts_with('u') => {
                format!("Symbol('{}', integer=True)", SYMBOLS[*it])
            }
            Tree::Sym(it) => format!("Symbol('{}', positive=True, integer=True)", SYMBOLS[*it]),
            Tree::Real(it) => format!("Float('{it:?}', precision=53)"),
            Tree::RealSym => format!("Symbol('{REAL}')"),
            Tree::Rounded(name, [p, q, r], x) => {
                format!("{name}(Add(Rational({r}, {q}), Mul(Rational({p}, {q}), {})))", x.srepr())
            }
            Tree::Call("OpaqueUnaryFn_", args) => match args.as_slice() {
                [Tree::Call(name, of)] => format!("OpaqueUnaryFn_{name}({})", list(of)),
                _ => String::new(),
            },
            Tree::Call(name, args) if args.is_empty() => (*name).to_owned(),
            Tree::Call(name, args) => format!("{name}({})", list(args)),
        }
    }

    /// The value at the symbols' values; none where Python raises, where anything leaves 64 bits,
    /// or where a floating-point number is not finite.
    pub(crate) fn value(&self, at: &Binding) -> Option<Value> {
        let value = match self {
            Tree::Int(it) => Value::Int((*it).into()),
            Tree::Sym(it) => Value::Int(at.0[*it].into()),
            Tree::Real(it) => Value::Real(*it),
            Tree::RealSym => Value::Real(at.1),
            Tree::Rounded(name, [p, q, r], x) => {
                let n = i128::from(*p) * x.int(at)? + i128::from(*r);
                let q = i128::from(*q);
                Value::Int(if *name == "floor" { n.div_euclid(q) } else { -(-n).div_euclid(q) })
            }
            Tree::Call(name, args) => call(name, args, at)?,
        };
        match value {
            Value::Int(it) => i64::try_from(it).ok().map(|_| value),
            Value::Real(it) => it.is_finite().then_some(value),
        }
    }

    fn int(&self, at: &Binding) -> Option<i128> {
        match self.value(at)? {
            Value::Int(it) => Some(it),
            Value::Real(_) => None,
        }
    }

    fn real(&self, at: &Binding) -> Option<f64> {
        match self.value(at)? {
            Value::Int(it) => Some(it as f64),
            Value::Real(it) => Some(it),
        }
    }

    /// The sign of an infinity.
    fn infinity(&self) -> Option<f64> {
        match self {
            Tree::Call("oo" | "int_oo", _) => Some(f64::INFINITY),
            Tree::Call("-oo" | "-int_oo", _) => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }
}

fn floor_div(n: i128, d: i128) -> Option<i128> {
    let (q, r) = (n.checked_div(d)?, n % d);
    Some(if r != 0 && (r < 0) != (d < 0) { q - 1 } else { q })
}

fn power(base: i128, exponent: i128) -> Option<i128> {
    let exponent = u32::try_from(exponent).ok()?;
    match base {
        0 | 1 => Some(if exponent == 0 { 1 } else { base }),
        -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => base.checked_pow(exponent),
    }
}

fn call(name: &str, args: &[Tree], at: &Binding) -> Option<Value> {
    let int = |k: usize| args[k].int(at);
    let real = |k: usize| args[k].real(at);
    let truth = |it: bool| Some(Value::Int(it.into()));
    let exact = |k: usize| int(k).filter(|it| it.unsigned_abs() < 1 << 53).map(|it| it as f64);
    let rounded = |it: f64| (it.abs() < 9e18).then_some(Value::Int(it as i128));
    let number = match name {
        "true" => 1,
        "false" => 0,
        "Add" | "Mul" | "Min" | "Max" | "Abs" => return arithmetic(name, args, at),
        "FloorDiv" => floor_div(int(0)?, int(1)?)?,
        "Mod" | "PythonMod" => int(0)? - int(1)? * floor_div(int(0)?, int(1)?)?,
        "CeilDiv" => -floor_div(-int(0)?, int(1)?)?,
        "CleanDiv" => int(0)?.checked_div(int(1)?)?,
        "ModularIndexing" => floor_div(int(0)?, int(1)?)?.checked_rem_euclid(int(2)?)?,
        "Pow" | "PowByNatural" => power(int(0)?, int(1)?)?,
        "LShift" => int(0)?.checked_mul(power(2, int(1)?)?)?,
        "RShift" => floor_div(int(0)?, power(2, int(1)?)?)?,
        "BitwiseFn_bitwise_and" => int(0)? & int(1)?,
        "BitwiseFn_bitwise_or" => int(0)? | int(1)?,
        "Identity" => int(0)?,
        "Where" | "Piecewise" => return choice(name, args, at),
        "And" => return truth((int(0)? != 0) & (int(1)? != 0)),
        "Or" => return truth((int(0)? != 0) | (int(1)? != 0)),
        "Not" => return truth(int(0)? == 0),
        "IsNonOverlappingAndDenseIndicator" => {
            let all: Option<Vec<i128>> = args.iter().map(|it| it.int(at)).collect();
            return truth(is_dense(&all?)?);
        }
        "ToFloat" => return Some(Value::Real(int(0)? as f64)),
        "IntTrueDiv" => {
            let by = exact(1)?;
            return (by != 0.0).then_some(Value::Real(exact(0)? / by));
        }
        "FloatTrueDiv" => {
            let by = real(1)?;
            return (by != 0.0).then_some(Value::Real(real(0)? / by));
        }
        "FloatPow" => return Some(Value::Real(real(0)?.powf(real(1)?))),
        "TruncToFloat" => return Some(Value::Real(real(0)?.trunc())),
        "RoundDecimal" => return Some(Value::Real(round_decimal(real(0)?, int(1)?)?)),
        "OpaqueUnaryFn_" => return unary(&args[0], at),
        "FloorToInt" => return rounded(real(0)?.floor()),
        "CeilToInt" => return rounded(real(0)?.ceil()),
        "TruncToInt" => return rounded(real(0)?.trunc()),
        "RoundToInt" => return rounded(real(0)?.round_ties_even()),
        _ => return relation(name, args, at).and_then(truth),
    };
    Some(Value::Int(number))
}

/// What integers and floating-point numbers share.
fn arithmetic(name: &str, args: &[Tree], at: &Binding) -> Option<Value> {
    let finite = args.iter().filter(|it| it.infinity().is_none());
    let values: Vec<Value> = finite.map(|it| it.value(at)).collect::<Option<_>>()?;
    let is_real = values.iter().any(|it| matches!(it, Value::Real(_)));
    let real = |it: &Value| match it {
        Value::Int(it) => *it as f64,
        Value::Real(it) => *it,
    };
    if is_real {
        let all = values.iter().map(real);
        let result = match name {
            "Add" => all.sum(),
            "Mul" => all.product(),
            "Min" => all.fold(f64::INFINITY, f64::min),
            "Max" => all.fold(f64::NEG_INFINITY, f64::max),
            _ => real(&values[0]).abs(),
        };
        return Some(Value::Real(result));
    }
    let mut ints = values.iter().map(|it| if let Value::Int(it) = it { *it } else { 0 });
    let result = match name {
        "Add" => ints.try_fold(0i128, i128::checked_add)?,
        "Mul" => ints.try_fold(1i128, i128::checked_mul)?,
        "Min" => ints.min()?,
        "Max" => ints.max()?,
        _ => ints.next()?.abs(),
    };
    Some(Value::Int(result))
}

fn choice(name: &str, args: &[Tree], at: &Binding) -> Option<Value> {
    if name == "Where" {
        return args[if args[0].int(at)? != 0 { 1 } else { 2 }].value(at);
    }
    for case in args {
        let Tree::Call("ExprCondPair", case) = case else { return None };
        if case[1].int(at)? != 0 {
            return case[0].value(at);
        }
    }
    None
}

fn relation(name: &str, args: &[Tree], at: &Binding) -> Option<bool> {
    let order = match (args[0].value(at), args[1].infinity()) {
        (Some(_), Some(end)) => 0.0.partial_cmp(&end)?,
        (Some(Value::Int(a)), None) if let Some(Value::Int(b)) = args[1].value(at) => a.cmp(&b),
        _ => args[0].real(at)?.partial_cmp(&args[1].real(at)?)?,
    };
    Some(match name {
        "Equality" => order.is_eq(),
        "Unequality" => order.is_ne(),
        "StrictLessThan" => order.is_lt(),
        "LessThan" => order.is_le(),
        "StrictGreaterThan" => order.is_gt(),
        "GreaterThan" => order.is_ge(),
        _ => return None,
    })
}

fn is_dense(all: &[i128]) -> Option<bool> {
    let (sizes, strides) = all.split_at(all.len() / 2);
    if let ([size], [stride]) = (sizes, strides) {
        return Some(*stride == 1 || *size < 2);
    }
    let mut dims: Vec<(i128, i128)> = strides.iter().copied().zip(sizes.iter().copied()).collect();
    dims.sort_by_key(|it| it.0);
    let mut expected: i128 = 1;
    for (stride, size) in dims.into_iter().filter(|it| it.1 != 1) {
        if stride != expected {
            return Some(false);
        }
        expected = expected.checked_mul(size)?;
    }
    Some(true)
}

/// As Python's `round`: by the exact decimal digits, half to even.
fn round_decimal(value: f64, digits: i128) -> Option<f64> {
    if let Ok(digits) = usize::try_from(digits) {
        return format!("{value:.digits$}").parse().ok();
    }
    // An integer from here on, if it is not too large to be one.
    let scale = 10i128.pow(u32::try_from(-digits).ok()?);
    let whole = (value.abs() < 1e15).then_some(value.floor() as i128)?;
    let (low, rest) = (whole.div_euclid(scale), whole.rem_euclid(scale));
    let order = (2 * rest).cmp(&scale).then(match value.fract() == 0.0 {
        true => std::cmp::Ordering::Equal,
        false => std::cmp::Ordering::Greater,
    });
    let up = order.is_gt() || order.is_eq() && low % 2 != 0;
    Some(((low + i128::from(up)) * scale) as f64)
}

fn unary(of: &Tree, at: &Binding) -> Option<Value> {
    let Tree::Call(name, args) = of else { return None };
    let it = args[0].real(at)?;
    Some(Value::Real(match *name {
        "sqrt" => it.sqrt(),
        "cos" => it.cos(),
        "sin" => it.sin(),
        "tanh" => it.tanh(),
        "exp" => it.exp(),
        "log" => it.ln(),
        "log2" => it.log2(),
        "asinh" => it.asinh(),
        _ => return None,
    }))
}
