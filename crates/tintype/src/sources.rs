//! The C++ of a model: what is printed for it, and what every model shares.

use std::sync::Arc;

use emit::{HostInfo, IoEntry, container};
use ir::{Function, OutputKind, ParamKind};
use toolchain::{Header, LinkOptions, Object, TargetCpu, Unit};

use crate::{constants::Layout, constants::boundary_type};

/// Ops in one file of kernels. Files are compiled side by side and cached one by one, so they are
/// neither few nor many; and what is in them must not depend on the machine.
const OPS_PER_FILE: usize = 400;

/// Flags of the host program, beside those for the target CPU: it runs through once.
const HOST_FLAGS: &[&str] = &["-O1", "-Wall", "-Wextra", "-Wno-unused"];

/// Flags of kernels, beside those for the target CPU. The products' innermost loops are unrolled
/// into registers, which g++ does at this level only.
const KERNEL_FLAGS: &[&str] = &["-O3", "-Wall", "-Wextra", "-Wno-unused"];

/// The container's objects, compiled when Tintype was built; none if there was no compiler then.
static CONTAINER_OBJECTS: &[(&str, &[u8])] =
    include!(concat!(env!("OUT_DIR"), "/container_objects.rs"));

/// A file of C++.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its name, without a folder.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) role: Role,
}

/// What a file is compiled with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// The container: for any CPU.
    Container,
    /// The host program, printed.
    Host,
    /// Kernels, printed or shared.
    Kernels,
}

/// What hosts are told of a model. `specs` are the trees of inputs and outputs.
pub(crate) fn host_info(
    name: &str,
    functional: &Function,
    specs: (&str, &str),
    layout: &Layout,
) -> HostInfo {
    let written = |i: usize| functional.outputs.iter().any(|it| it.kind == OutputKind::Mutates(i));
    let params = functional.params.iter().zip(&functional.body.root.params).enumerate();
    let inputs = params.filter(|it| it.1.0.kind == ParamKind::User);
    let inputs = inputs.map(|(i, (param, value))| IoEntry {
        name: param.name.clone(),
        ty: boundary_type(functional.body.ty(*value)),
        is_written: written(i),
    });
    let given = functional.outputs.iter().filter(|it| !matches!(it.kind, OutputKind::Mutates(_)));
    let outputs = given.map(|it| IoEntry {
        name: it.name.clone(),
        ty: boundary_type(&it.ty),
        is_written: false,
    });
    HostInfo {
        name: name.to_owned(),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        constants: layout.entries.clone(),
        in_spec: specs.0.to_owned(),
        out_spec: specs.1.to_owned(),
        blob_size: layout.size,
    }
}

/// Every file of C++ that a model is compiled from, in the order of linking.
pub(crate) fn print(
    info: &HostInfo,
    main: &Function,
    bodies: &[&Function],
    kernels: &[&Function],
) -> Vec<Source> {
    let shared = |role: Role| {
        move |it: &emit::File| Source { name: it.0.to_owned(), text: it.1.to_owned(), role }
    };
    let host = emit::print_host(info, main, bodies, kernels);
    let mut res = vec![Source { name: "host.cpp".to_owned(), text: host, role: Role::Host }];
    for (i, group) in groups(kernels).into_iter().enumerate() {
        let name = format!("kernels_{i}.cpp");
        res.push(Source { name, text: emit::print_kernels(group), role: Role::Kernels });
    }
    let calls = |ops: &[&str]| {
        kernels.iter().any(|it| it.body.ops().iter().any(|it| ops.contains(&it.def.0.name)))
    };
    for unit in emit::KERNEL_UNITS {
        let is_called = match unit.0 {
            "conv.cpp" => calls(&["loops.conv2d"]),
            "attention.cpp" => calls(&["loops.attention"]),
            // Both of the others stand on the product.
            _ => calls(&["loops.gemm", "loops.conv2d", "loops.attention"]),
        };
        if is_called {
            res.push(shared(Role::Kernels)(unit));
        }
    }
    res.extend(container::UNITS.iter().map(shared(Role::Container)));
    res
}

/// Kernels by file. Where a file ends depends on the kernels alone.
fn groups<'a, 'k>(kernels: &'a [&'k Function]) -> Vec<&'a [&'k Function]> {
    let mut res = Vec::new();
    let (mut start, mut ops) = (0, 0);
    for (i, kernel) in kernels.iter().enumerate() {
        kernel.body.for_each_op(&mut |_| ops += 1);
        if OPS_PER_FILE <= ops || i + 1 == kernels.len() {
            res.push(&kernels[start..=i]);
            (start, ops) = (i + 1, 0);
        }
    }
    res
}

/// Every header, with what its folder is for.
pub(crate) fn headers() -> impl Iterator<Item = &'static emit::File> {
    container::HEADERS.iter().chain(container::PRIVATE_HEADERS).chain(emit::KERNEL_HEADERS)
}

/// The flags of a file.
pub(crate) fn flags(role: Role, cpu: &TargetCpu) -> Vec<String> {
    let own = match role {
        Role::Container => container::FLAGS,
        Role::Host => HOST_FLAGS,
        Role::Kernels => KERNEL_FLAGS,
    };
    let mut res: Vec<String> = own.iter().map(|it| (*it).to_owned()).collect();
    if role != Role::Container {
        res.extend(cpu.flags());
    }
    res
}

/// What the toolchain compiles.
pub(crate) fn units(sources: &[Source], cpu: &TargetCpu) -> Vec<Unit> {
    let list = |files: &[&[emit::File]]| -> Arc<[Header]> {
        files.iter().copied().flatten().map(|(name, text)| Header::new(*name, text)).collect()
    };
    let container = list(&[container::HEADERS, container::PRIVATE_HEADERS]);
    let host = list(&[container::HEADERS, emit::KERNEL_HEADERS]);
    let unit = |it: &Source| Unit {
        name: it.name.clone(),
        source: it.text.clone().into_bytes(),
        headers: Arc::clone(if it.role == Role::Container { &container } else { &host }),
        flags: flags(it.role, cpu),
    };
    sources.iter().map(unit).collect()
}

/// The sources that are not compiled yet, and the objects of the others.
pub(crate) fn split(sources: &[Source]) -> (Vec<Source>, Vec<Object>) {
    let is_ready = |it: &Source| {
        it.role == Role::Container && CONTAINER_OBJECTS.iter().any(|ready| ready.0 == it.name)
    };
    let left = sources.iter().filter(|it| !is_ready(it)).cloned().collect();
    let objects = CONTAINER_OBJECTS.iter().map(|(name, bytes)| Object::compiled(*name, bytes));
    (left, objects.collect())
}

/// How a model is linked that was compiled with those sanitizers' flags.
pub(crate) fn link_options(flags: Vec<String>) -> LinkOptions {
    let keep_symbols = !flags.is_empty();
    LinkOptions { exports: Some(container::EXPORTS.to_owned()), keep_symbols, flags }
}
