//! Lowers an archive, evaluates it on its stored inputs and compares with eager's outputs:
//! `eval_archive FILE.pt2 FILE.io.safetensors [rtol atol]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use ir::{DType, HostTensor, HostValue, ParamKind, Type};

fn dense(weights: &import::Weights<'_>, name: &str, dtype: DType) -> HostTensor {
    let it = weights.get(name).unwrap();
    let storage = weights.storage(it.storage).unwrap();
    let width = dtype.size();
    let count: i64 = it.sizes.iter().product();
    let mut bytes = Vec::with_capacity(count as usize * width);
    if it.is_contiguous() {
        let from = it.storage_offset as usize * width;
        bytes.extend_from_slice(&storage.bytes[from..from + count as usize * width]);
    } else {
        for i in 0..count {
            let (mut rest, mut at) = (i, it.storage_offset);
            for (size, stride) in it.sizes.iter().zip(&it.strides).rev() {
                at += rest % size * stride;
                rest /= size;
            }
            let from = at as usize * width;
            bytes.extend_from_slice(&storage.bytes[from..from + width]);
        }
    }
    HostTensor { dtype, shape: it.sizes.clone(), bytes: bytes.into() }
}

fn given(file: &safetensors::SafeTensors<'_>, name: &str) -> Option<HostTensor> {
    let it = file.tensor(name).ok()?;
    use safetensors::Dtype as D;
    let dtype = match it.dtype() {
        D::BOOL => DType::Bool,
        D::U8 => DType::U8,
        D::I8 => DType::I8,
        D::I16 => DType::I16,
        D::I32 => DType::I32,
        D::I64 => DType::I64,
        D::F16 => DType::F16,
        D::BF16 => DType::BF16,
        D::F32 => DType::F32,
        D::F64 => DType::F64,
        _ => return None,
    };
    let shape = it.shape().iter().map(|it| *it as i64).collect();
    Some(HostTensor { dtype, shape, bytes: it.data().to_vec().into() })
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&args[1]).unwrap();
    let io = std::fs::read(&args[2]).unwrap();
    let io = safetensors::SafeTensors::deserialize(&io).unwrap();
    let archive = import::read(&bytes).unwrap();
    let imported = import::to_aten(&archive.program);
    let origins = &imported.origins[0];
    let show = |diags: &[diag::Diag]| {
        for it in diags.iter().take(20) {
            let at = it.origin.and_then(|it| origins.get(it as usize));
            println!("  {it} {}", at.map_or("", |it| &it.node));
        }
    };
    if !imported.diags.is_empty() {
        show(&imported.diags);
        println!("NOLOWER {}", args[1]);
        return;
    }
    let labels = std::fs::read_to_string(args[1].replace(".pt2", ".json")).unwrap_or_default();
    let labels: Vec<&str> = labels.split('"').filter(|it| it.contains('#')).collect();
    let lowered = aten_passes::functionalize::run(&imported.functions[0])
        .and_then(|it| aten_passes::decompose::run(&it));
    let function = match lowered {
        Ok(it) => it,
        Err(it) => {
            show(&it);
            println!("NOLOWER {}", args[1]);
            return;
        }
    };
    let bad = ir::verify(&function);
    if !bad.is_empty() {
        show(&bad);
        println!("INVALID {}", args[1]);
        return;
    }
    let mut inputs = 0;
    let mut values = Vec::new();
    for (i, param) in function.params.iter().enumerate() {
        let ty = function.body.ty(function.body.root.params[i]);
        let dtype = ty.dtype().unwrap();
        let value = if param.kind == ParamKind::User {
            let name = format!("input_{inputs}");
            inputs += 1;
            match given(&io, &name) {
                Some(it) => it,
                None => {
                    println!("NOINPUT {name} {}", args[1]);
                    return;
                }
            }
        } else {
            dense(&archive.weights, &param.name, dtype)
        };
        let value = match ty {
            Type::Scalar(it) => HostValue::Scalar(*it, value.elem(0)),
            _ => HostValue::Tensor(value),
        };
        values.push(value);
    }
    let results = match interp::run(&function, &values, &BTreeMap::new()) {
        Ok(it) => it,
        Err(it) => {
            println!("EVALERR {} {it}", args[1]);
            return;
        }
    };
    let (mut k, mut failures, mut worst) = (0, 0, 0.0_f64);
    for (output, value) in function.outputs.iter().zip(&results) {
        let mutates = matches!(output.kind, ir::OutputKind::Mutates(_));
        let Ok(found) = value.tensor() else {
            k += usize::from(!mutates);
            continue;
        };
        let label = labels.get(k).copied().unwrap_or("");
        let name = match mutates {
            true => format!("mutates_{}", output.name),
            false => format!("output_{k}"),
        };
        k += usize::from(!mutates);
        let Some(want) = given(&io, &name) else { continue };
        if found.dtype != want.dtype || found.shape != want.shape {
            println!(
                "  {} {label}: {}{:?} want {}{:?}",
                output.name, found.dtype, found.shape, want.dtype, want.shape
            );
            failures += 1;
            continue;
        }
        let (rtol, atol) = match want.dtype {
            DType::F64 => (1e-7, 1e-7),
            DType::F32 => (1e-4, 2e-5),
            DType::F16 => (2e-3, 2e-3),
            DType::BF16 => (1.6e-2, 1e-2),
            _ => (0.0, 0.0),
        };
        let (mut count, mut at, mut most) = (0, String::new(), 0.0_f64);
        for (i, (a, b)) in found.elems().zip(want.elems()).enumerate() {
            let (a, b) = match want.dtype.is_float() {
                true => (a.to_f64(), b.to_f64()),
                false => (a.to_i64() as f64, b.to_i64() as f64),
            };
            let off = (a - b).abs();
            let bad = !(a == b || (a.is_nan() && b.is_nan()) || off <= atol + rtol * b.abs());
            if off.is_finite() {
                most = most.max(off / (1.0 + b.abs()));
            }
            if bad {
                count += 1;
                if at.is_empty() {
                    at = format!("[{i}] {a} want {b}");
                }
            }
        }
        worst = worst.max(most);
        if count != 0 {
            failures += 1;
            println!(
                "  {} {label}: {count} of {} differ, first {at}, most {most:.2e}",
                output.name,
                found.numel()
            );
        }
    }
    let verdict = if failures == 0 { "EQUAL" } else { "DIFFER" };
    println!("{verdict} {} outputs {k} failures {failures} worst {worst:.1e}", args[1]);
}
