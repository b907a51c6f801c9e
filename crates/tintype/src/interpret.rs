//! Running a program without compiling it: slowly, and straight from its definition.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use catalog::Phase;
use diag::{Diag, codes};
use ir::{HostValue, OutputKind, ParamKind, Type};
use tintype_runtime::Tensor;
use toolchain::TargetCpu;

use crate::{
    Failure,
    constants::{share, weight_value},
    session::{Session, Settings, map, open, target},
    values,
};

/// Evaluates an archive's program on inputs, by the definitions of its operators. What the program
/// writes in place is not kept.
pub fn interpret(path: &Path, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
    let file = Arc::new(map(path)?);
    let opened = open(path, &file)?;
    let settings =
        Settings { target: target(&TargetCpu::Baseline), pipeline: None, unchecked: false };
    let session = Session::new(opened.source.clone(), (opened.level, Phase::Aten), &settings)?;
    session.check(Phase::Aten)?;
    let units = session.after(Phase::Aten);
    let Some(main) = units.first().and_then(|it| it.main()) else {
        return Err(Failure::new(&codes::ARCHIVE, "the archive has no program"));
    };
    let shared = share(&file);
    let mut given = inputs.iter();
    let mut args = Vec::new();
    for (param, value) in main.params.iter().zip(&main.body.root.params) {
        let tensor = match param.kind {
            ParamKind::User => {
                let tensor = given.next().ok_or_else(|| {
                    let message = format!("input `{}` is missing", param.name.escape_debug());
                    Failure::new(&codes::INPUT, message)
                })?;
                values::to_host(tensor)?
            }
            _ => weight_value(&shared, &opened.weights, &param.name)?,
        };
        args.push(match main.body.ty(*value) {
            Type::Scalar(dtype) if tensor.numel() == 1 => HostValue::Scalar(*dtype, tensor.elem(0)),
            _ => HostValue::Tensor(tensor),
        });
    }
    let left = given.count();
    if left != 0 {
        let message = format!("{} inputs are given, {left} too many", inputs.len());
        return Err(Failure::new(&codes::INPUT, message));
    }
    let program: Vec<ir::Function> = units.iter().filter_map(|it| it.main().cloned()).collect();
    let results = interp::run_in(&program, main, &args, &BTreeMap::new()).map_err(|it| {
        Diag::error(&codes::INPUT, format!("the program cannot be evaluated: {it}"))
    })?;
    let mut outputs = Vec::new();
    for (output, value) in main.outputs.iter().zip(results) {
        if matches!(output.kind, OutputKind::Mutates(_)) {
            continue;
        }
        let tensor = match value {
            HostValue::Scalar(dtype, it) => ir::HostTensor::from_elems(dtype, Vec::new(), [it]),
            it => it.tensor().map_err(|it| Diag::error(&codes::INPUT, it.0))?,
        };
        outputs.push(values::to_tensor(&tensor)?);
    }
    Ok(outputs)
}
