//! Random programs keep their values under the passes that promise every bit.

use ir::{
    Builder, DType, Function, Number, Output, OutputKind, Param, ParamKind, Result, Type, ValueId,
    compact,
    scalar::{ResultRule, ScalarFn},
};
use pass::{Legality, Phase, Runner, Silent, Step, Target, Unit, same_values};
use sym::{Expr, Facts};
use tensor_passes::PASSES;

const SEEDS: u64 = 300;
const PASSES_UNDER_TEST: [&str; 3] = ["canonicalize", "cse", "simplify-sizes"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((it ^ (it >> 31)) % n as u64) as usize
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn shuffled(&mut self, n: usize) -> Vec<i64> {
        let mut res: Vec<i64> = (0..n as i64).collect();
        for i in (1..n).rev() {
            res.swap(i, self.below(i + 1));
        }
        res
    }
}

const DTYPES: [DType; 6] =
    [DType::F32, DType::F16, DType::BF16, DType::I32, DType::U8, DType::Bool];
/// Those about which there are rules, and a few others between them.
const FUNCTIONS: [ScalarFn; 18] = [
    ScalarFn::Add,
    ScalarFn::Add,
    ScalarFn::Sub,
    ScalarFn::Mul,
    ScalarFn::Mul,
    ScalarFn::Div,
    ScalarFn::FloorDiv,
    ScalarFn::TruncDiv,
    ScalarFn::Pow,
    ScalarFn::And,
    ScalarFn::Or,
    ScalarFn::Min,
    ScalarFn::Max,
    ScalarFn::Neg,
    ScalarFn::Not,
    ScalarFn::Abs,
    ScalarFn::Select,
    ScalarFn::Lt,
];

fn sizes(shape: &[i64]) -> Vec<Expr> {
    shape.iter().copied().map(Expr::int).collect()
}

fn shape_of(b: &Builder<'_>, x: ValueId) -> Vec<i64> {
    b.ty(x).as_tensor().and_then(ir::TensorType::static_shape).expect("sizes are numbers here")
}

fn dtype_of(b: &Builder<'_>, x: ValueId) -> DType {
    b.ty(x).dtype().expect("values are tensors here")
}

fn number(random: &mut Random, dtype: DType) -> Number {
    match dtype {
        DType::Bool => Number::Bool(random.below(2) == 0),
        _ if dtype.is_float() => Number::Float(random.pick(&[0.0, -0.0, 1.0, -1.0, 2.5])),
        DType::U8 => Number::Int(Expr::int(random.pick(&[0, 1, 3, 255]))),
        _ => Number::Int(Expr::int(random.pick(&[0, 1, -1, 3, i64::from(i32::MAX)]))),
    }
}

/// Appends one random op on random values; fails where they do not fit, and another is tried.
fn op(b: &mut Builder<'_>, random: &mut Random, values: &[ValueId]) -> Result<ValueId> {
    let x = random.pick(values);
    let (shape, dtype) = (shape_of(b, x), dtype_of(b, x));
    let rank = shape.len();
    let made = match random.below(13) {
        0 => tensor::Permute::build(b, x, random.shuffled(rank))?,
        1 => {
            let mut flat = shape.clone();
            match random.below(4) {
                0 => flat.insert(random.below(rank + 1), 1),
                1 => flat = vec![shape.iter().product()],
                2 => flat.retain(|it| *it != 1),
                _ => flat.reverse(),
            }
            tensor::Reshape::build(b, x, sizes(&flat))?
        }
        2 => {
            let mut wide = shape.clone();
            wide.iter_mut().filter(|it| **it == 1).for_each(|it| *it = random.pick(&[1, 3]));
            if random.below(3) == 0 {
                wide.insert(0, random.pick(&[1, 2]));
            }
            tensor::Expand::build(b, x, sizes(&wide))?
        }
        3 | 4 => {
            let step: Vec<i64> = shape.iter().map(|_| random.pick(&[1, 1, 2])).collect();
            let start: Vec<i64> =
                shape.iter().map(|it| random.below(*it as usize) as i64).collect();
            let size: Vec<i64> = (0..rank)
                .map(|i| {
                    let most = (shape[i] - start[i] + step[i] - 1) / step[i];
                    1 + random.below(most as usize) as i64
                })
                .collect();
            tensor::Slice::build(b, x, sizes(&start), sizes(&size), step)?
        }
        5 => {
            let dims = random.shuffled(rank);
            let n = random.below(rank + 1);
            tensor::Flip::build(b, x, dims[..n].to_vec())?
        }
        6 => {
            let xs = [x, random.pick(values), random.pick(values)];
            let n = 1 + random.below(3);
            tensor::Concat::build(b, xs[..n].to_vec(), random.below(rank.max(1)) as i64)?
        }
        7 => tensor::Cast::build(b, x, random.pick(&DTYPES))?,
        8 => {
            let dims = random.shuffled(rank);
            let kind = random.pick(&["sum", "max", "min", "prod", "any", "all"]);
            let n = random.below(rank + 1);
            tensor::Reduce::build(b, x, kind.to_owned(), dims[..n].to_vec())?
        }
        _ => {
            let function = random.pick(&FUNCTIONS);
            let mut operands = vec![x];
            while operands.len() < function.arity() {
                let like: Vec<ValueId> =
                    values.iter().copied().filter(|it| b.ty(*it) == b.ty(x)).collect();
                operands.push(match random.below(3) {
                    0 => {
                        let number = number(random, dtype);
                        tensor::Full::build(b, number, sizes(&shape), dtype)?[0]
                    }
                    _ => random.pick(&like),
                });
            }
            if function.rule() == ResultRule::Select {
                let number = number(random, DType::Bool);
                let bools: Vec<ValueId> = values
                    .iter()
                    .copied()
                    .filter(|it| dtype_of(b, *it) == DType::Bool && shape_of(b, *it) == shape)
                    .collect();
                operands[0] = match bools.is_empty() {
                    true => tensor::Full::build(b, number, sizes(&shape), DType::Bool)?[0],
                    false => random.pick(&bools),
                };
            }
            if random.below(2) == 0 && function.arity() == 2 {
                operands.reverse();
            }
            vec![tensor::pointwise(b, function, &operands)?]
        }
    };
    Ok(made[0])
}

fn function(seed: u64) -> Function {
    let mut random = Random(seed);
    let facts = Facts::default();
    let mut b = Builder::new(&facts);
    let mut values = Vec::new();
    let mut params = Vec::new();
    for (i, dtype) in DTYPES.into_iter().enumerate() {
        let shape = random.pick(&[vec![2, 3], vec![1, 4], vec![4, 1, 2], vec![3]]);
        values.push(b.param(Type::tensor(dtype, sizes(&shape))));
        params.push(Param { name: format!("p{i}"), kind: ParamKind::User });
    }
    while values.len() < 24 {
        if let Ok(it) = op(&mut b, &mut random, &values) {
            let size: i64 = shape_of(&b, it).iter().product();
            if size <= 64 {
                values.push(it);
            }
        }
    }
    let yields: Vec<ValueId> = values[values.len() - 6..].to_vec();
    let output = |it: &ValueId| Output {
        name: it.to_string(),
        kind: OutputKind::User,
        ty: b.ty(*it).clone(),
    };
    let outputs = yields.iter().map(output).collect();
    let body = compact(&b.finish(yields), &facts);
    Function { name: "main".to_owned(), facts, params, outputs, body }
}

#[test]
fn random_programs_keep_every_bit() {
    let target = Target::default();
    let runner = Runner { target: &target, verify_each: true, evaluate: None };
    let phase = Phase { name: "test", requires: Legality::ANY, ensures: Legality::ANY };
    let mut fired = std::collections::BTreeSet::new();
    let mut evaluated = 0;
    for seed in 0..SEEDS {
        let before = Unit::new(function(seed));
        let Ok(inputs) = testkit::ORACLE.inputs(&before, seed, true) else { continue };
        let was = inputs.evaluate(&before).unwrap();
        evaluated += 1;
        for name in PASSES_UNDER_TEST {
            let pass = PASSES.iter().find(|it| it.name == name).unwrap();
            let mut counts = pass::Recorder::new(Default::default(), Default::default(), None);
            let after = runner.run(&phase, &[Step::new(pass)], &before, &mut counts);
            let after = after.map_err(|it| it.repro.text).unwrap();
            fired.extend(counts.records[0].counts.iter().map(|it| it.0));
            let is = inputs.evaluate(&after).unwrap();
            for (i, (a, b)) in was.iter().zip(&is).enumerate() {
                if let Err(it) = same_values(a, b, None) {
                    let (before, after) = (before.print(), after.print());
                    panic!("seed {seed}: {name} changes result {i}: {it}\n{before}\n{after}");
                }
            }
            let again = runner.run(&phase, &[Step::new(pass)], &after, &mut Silent).unwrap();
            assert_eq!(again.print(), after.print(), "seed {seed}: {name} did not finish");
        }
    }
    assert!(200 < evaluated, "{evaluated}");
    assert!(20 < fired.len(), "{fired:?}");
}
