//! Evaluating units: the same inputs for every state of one function.

use std::collections::BTreeMap;

use ir::{
    DTypeKind, EvalError, Function, HostTensor, HostValue, OutputKind, ParamKind, scalar::Elem,
};

use crate::{
    Unit, computes_constants,
    sizes::{Sizes, sample_sizes},
};

/// Values, or why there are none.
type Evaluated = Result<Vec<HostValue>, EvalError>;

/// The interpreter as this crate sees it, which may not depend on it.
#[derive(Clone, Copy)]
pub struct Oracle {
    /// Makes arguments from a seed: `interp::seeded_inputs`.
    pub inputs: fn(&Function, u64, &Sizes) -> Evaluated,
    /// Evaluates a function in a program: `interp::run_in`.
    pub run: fn(&[Function], &Function, &[HostValue], &Sizes) -> Evaluated,
}

/// Arguments by parameter name, and the sizes they were made with.
struct Case {
    sizes: Sizes,
    args: BTreeMap<String, HostValue>,
}

/// Inputs that a unit was found to evaluate on.
pub struct Inputs {
    oracle: Oracle,
    /// The functions of the program that are not in the unit.
    program: Vec<Function>,
    cases: Vec<Case>,
}

/// Deeper than constants depend on each other.
const MAX_DEPTH: usize = 64;

impl Oracle {
    /// Chooses inputs for the first function of a unit, for a few sizes, the smallest among them.
    /// With `specials` some floats are zeros of either sign, infinities and NaN. Fails with the
    /// reason if the unit cannot be evaluated on any of them.
    pub fn inputs(&self, unit: &Unit, seed: u64, specials: bool) -> Result<Inputs, String> {
        self.inputs_in(&[], unit, seed, specials)
    }

    /// As [`inputs`](Oracle::inputs), for a unit that may call the functions of a program. Those
    /// may be at any level that has evaluators, as long as they take what the unit passes.
    pub fn inputs_in(
        &self,
        program: &[Function],
        unit: &Unit,
        seed: u64,
        specials: bool,
    ) -> Result<Inputs, String> {
        self.choose(program, unit, seed, specials, &BTreeMap::new())
    }

    fn choose(
        &self,
        program: &[Function],
        unit: &Unit,
        seed: u64,
        specials: bool,
        known: &BTreeMap<String, HostValue>,
    ) -> Result<Inputs, String> {
        let main = unit.main().ok_or("there is no function")?;
        let mut res = Inputs { oracle: *self, program: program.to_vec(), cases: Vec::new() };
        let mut reason = "no sizes keep to the facts".to_owned();
        for (i, sizes) in sample_sizes(main, seed).into_iter().enumerate() {
            match self.case(main, seed.wrapping_add(i as u64), sizes, specials && i % 2 == 1) {
                Ok(mut case) => {
                    case.args.extend(known.iter().map(|(name, it)| (name.clone(), it.clone())));
                    match res.one(unit, main, &case, 0) {
                        Ok(_) => res.cases.push(case),
                        Err(it) => reason = it.0,
                    }
                }
                Err(it) => reason = it.0,
            }
        }
        if res.cases.is_empty() { Err(reason) } else { Ok(res) }
    }

    /// Inputs that somebody has: an argument for each parameter, by name.
    pub fn given(&self, program: Vec<Function>, args: BTreeMap<String, HostValue>) -> Inputs {
        let case = Case { sizes: Sizes::new(), args };
        Inputs { oracle: *self, program, cases: vec![case] }
    }

    /// An evaluator that chooses its inputs when it first meets a unit that can be evaluated, and
    /// keeps them: a run may start at a level that has no evaluator. Parameters that are `known`
    /// have those values; others are made from the seed.
    pub fn lazily(
        self,
        seed: u64,
        known: BTreeMap<String, HostValue>,
        program: Vec<Function>,
    ) -> impl Fn(&Unit) -> Result<Vec<HostTensor>, String> + Sync {
        let inputs = std::sync::OnceLock::new();
        move |unit| match inputs.get() {
            Some(it) => Inputs::evaluate(it, unit),
            None => {
                let params = unit.main().map(|it| it.params.as_slice()).unwrap_or_default();
                let is_known =
                    |it: &ir::Param| it.kind == ParamKind::Folded || known.contains_key(&it.name);
                let found = match params.iter().all(is_known) {
                    true => self.given(program.clone(), known.clone()),
                    false => self.choose(&program, unit, seed, false, &known)?,
                };
                let values = found.evaluate(unit)?;
                inputs.get_or_init(|| found);
                Ok(values)
            }
        }
    }

    fn case(
        &self,
        main: &Function,
        seed: u64,
        sizes: Sizes,
        specials: bool,
    ) -> Result<Case, EvalError> {
        let mut values = (self.inputs)(main, seed, &sizes)?;
        if specials {
            values.iter_mut().for_each(sprinkle);
        }
        let args = main.params.iter().map(|it| it.name.clone()).zip(values).collect();
        Ok(Case { sizes, args })
    }
}

impl Inputs {
    /// The results of the unit's first function on every input, one after the other.
    pub fn evaluate(&self, unit: &Unit) -> Result<Vec<HostTensor>, String> {
        let main = unit.main().ok_or("there is no function")?;
        let mut res = Vec::new();
        for case in &self.cases {
            let values = self.one(unit, main, case, 0).map_err(|it| it.0)?;
            for it in values {
                res.push(to_tensor(&it).map_err(|it| it.0)?);
            }
        }
        Ok(res)
    }

    /// Parameters are matched by name, since a pass may add and drop them. What a pass has folded
    /// is an output of that name of the function that computes it.
    fn one(&self, unit: &Unit, function: &Function, case: &Case, depth: usize) -> Evaluated {
        let mut made: BTreeMap<String, HostValue> = BTreeMap::new();
        let mut args = Vec::with_capacity(function.params.len());
        for param in &function.params {
            let name = &param.name;
            let is_maker = |it: &&Function| it.outputs.iter().any(|it| it.name == *name);
            let folded = param.kind == ParamKind::Folded && !case.args.contains_key(name);
            if folded && !made.contains_key(name) && depth < MAX_DEPTH {
                let mut makers = unit.functions.iter().filter(|it| computes_constants(it));
                if let Some(maker) = makers.find(is_maker) {
                    let values = self.one(unit, maker, case, depth + 1)?;
                    made.extend(maker.outputs.iter().map(|it| it.name.clone()).zip(values));
                }
            }
            let value = case.args.get(name).or_else(|| made.get(name));
            let value = value.ok_or_else(|| EvalError(format!("{name} is not known")))?;
            args.push(value.clone());
        }
        let values = match self.program.is_empty() {
            true => (self.oracle.run)(&unit.functions, function, &args, &case.sizes)?,
            false => {
                let all = [unit.functions.as_slice(), &self.program].concat();
                (self.oracle.run)(&all, function, &args, &case.sizes)?
            }
        };
        Ok(written_first(function, values))
    }
}

/// Results in the order in which a program of statements gives them: parameters that it writes,
/// in their order, before all others.
fn written_first(function: &Function, values: Vec<HostValue>) -> Vec<HostValue> {
    let param = |i: usize| match function.outputs.get(i).map(|it| &it.kind) {
        Some(OutputKind::Mutates(it)) => *it,
        _ => usize::MAX,
    };
    let mut res: Vec<(usize, HostValue)> =
        values.into_iter().enumerate().map(|(i, it)| (param(i), it)).collect();
    res.sort_by_key(|it| it.0);
    res.into_iter().map(|it| it.1).collect()
}

fn to_tensor(value: &HostValue) -> Result<HostTensor, EvalError> {
    match value {
        HostValue::Scalar(dtype, it) => Ok(HostTensor::from_elems(*dtype, Vec::new(), [*it])),
        HostValue::Tensor(_) | HostValue::Cell(_) | HostValue::Memory(_) => value.tensor(),
    }
}

/// Puts a special value in every third place of a tensor of floats.
fn sprinkle(value: &mut HostValue) {
    const SPECIAL: [f64; 5] = [-0.0, 0.0, f64::NEG_INFINITY, f64::NAN, f64::INFINITY];
    let HostValue::Tensor(tensor) = value else { return };
    if tensor.dtype.kind() != DTypeKind::Float {
        return;
    }
    let elems = tensor.elems().enumerate().map(|(i, it)| match i % 3 {
        0 => Elem::Float(SPECIAL[i / 3 % SPECIAL.len()]),
        _ => it,
    });
    let sprinkled = HostTensor::from_elems(tensor.dtype, tensor.shape.clone(), elems);
    *tensor = sprinkled;
}
