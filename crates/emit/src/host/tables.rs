//! What the host program says of the model: inputs, outputs, symbols and constants.

use std::fmt::Write;

use ir::{Function, ParamKind};
use sym::{Expr, Range};

use super::{ConstantEntry, HostInfo, IoEntry};
use crate::{
    code::Code,
    names::{self, dtype_number},
};

/// The static table `tt_model_info`.
pub(super) fn print(code: &mut Code, info: &HostInfo, main: &Function) {
    let io = |code: &mut Code, name: &str, entries: &[IoEntry]| {
        for (i, it) in entries.iter().enumerate().filter(|it| it.1.ty.rank() != 0) {
            let dims: Vec<String> =
                it.ty.shape.iter().map(|it| names::string(&it.to_string())).collect();
            code.line(format!(
                "static const char* const {name}_{i}_dims[] = {{{}}};",
                dims.join(", ")
            ));
        }
        if entries.is_empty() {
            return "nullptr".to_owned();
        }
        code.open(format!("static const tt_io_info {name}s[] = {{"));
        for (i, it) in entries.iter().enumerate() {
            let dims = match it.ty.rank() {
                0 => "nullptr".to_owned(),
                _ => format!("{name}_{i}_dims"),
            };
            code.line(format!(
                "{{{}, {}, {}, {dims}, {}}},",
                names::string(&it.name),
                dtype_number(it.ty.dtype),
                it.ty.rank(),
                if it.is_written { "TT_IO_WRITTEN" } else { "0" }
            ));
        }
        code.close("};");
        format!("{name}s")
    };
    let inputs = io(code, "input", &info.inputs);
    let outputs = io(code, "output", &info.outputs);
    let symbols = wrapper::model_symbols(main);
    if !symbols.is_empty() {
        code.open("static const tt_symbol_info symbols[] = {");
        for it in &symbols {
            let Range { lo, hi } = main.facts.range_of_sym(it);
            code.line(format!(
                "{{{}, {}, {}}},",
                names::string(it),
                names::int(lo),
                names::int(hi)
            ));
        }
        code.close("};");
    }
    let constants = constants(code, &info.constants);
    let packed = info.constants.iter().filter(|it| it.is_packed).count();
    code.open("extern \"C\" const tt_model tt_model_info = {");
    let mut field = |text: String| code.line(format!("{text},"));
    field("TT_ABI".to_owned());
    field("sizeof(tt_model)".to_owned());
    field("TT_CPU_REQUIRED".to_owned());
    field(info.inputs.len().to_string());
    field(info.outputs.len().to_string());
    field(symbols.len().to_string());
    field(info.constants.len().to_string());
    field(packed.to_string());
    field("0".to_owned());
    field("0".to_owned());
    field(names::string(&info.name));
    field(inputs);
    field(outputs);
    field(if symbols.is_empty() { "nullptr" } else { "symbols" }.to_owned());
    field(constants);
    field("nullptr".to_owned());
    field(names::string(&info.in_spec));
    field(names::string(&info.out_spec));
    field(info.blob_size.to_string());
    field("run_model".to_owned());
    field("nullptr".to_owned());
    code.close("};");
}

fn constants(code: &mut Code, entries: &[ConstantEntry]) -> String {
    if entries.is_empty() {
        return "nullptr".to_owned();
    }
    let mut taken = Vec::new();
    let mut rows = String::new();
    // Sizes and strides that are printed: equal layers have equal ones.
    let mut arrays: Vec<String> = Vec::new();
    let mut array = |code: &mut Code, exprs: &[Expr]| {
        let all = exprs.iter().map(|it| names::int(it.as_int().unwrap_or(0)));
        let list = all.collect::<Vec<_>>().join(", ");
        let at = arrays.iter().position(|it| *it == list).unwrap_or_else(|| {
            code.line(format!("static const int64_t dims_{}[] = {{{list}}};", arrays.len()));
            arrays.push(list);
            arrays.len() - 1
        });
        format!("dims_{at}")
    };
    for it in entries {
        let (mut sizes, mut strides) = ("nullptr".to_owned(), "nullptr".to_owned());
        if it.ty.rank() != 0 {
            sizes = array(code, &it.ty.shape);
            strides = array(code, it.ty.strides.as_deref().unwrap_or(&[]));
        }
        let kind = match (&it.kind, it.is_packed) {
            (_, true) => "TT_KIND_PACKED",
            (ParamKind::Parameter, _) => "TT_KIND_PARAMETER",
            (ParamKind::Buffer { .. }, _) => "TT_KIND_BUFFER",
            (ParamKind::Constant, _) => "TT_KIND_TENSOR",
            (ParamKind::Folded, _) => "TT_KIND_FOLDED",
            (ParamKind::User | ParamKind::Fixed, _) => "TT_KIND_UNKNOWN",
        };
        let offset = it.offset.map_or("TT_NOT_STORED".to_owned(), |it| it.to_string());
        let name = names::identifier(&it.name, &mut taken);
        writeln!(
            rows,
            "  {{{}, {}, {}, {kind}, {}, {}, {sizes}, {strides}, {}, {offset}, {}}},",
            names::string(&name),
            names::string(&it.name),
            dtype_number(it.ty.dtype),
            match (it.is_state, it.is_baked) {
                (false, false) => "0",
                (true, false) => "TT_CONST_STATE",
                (false, true) => "TT_CONST_BAKED",
                (true, true) => "TT_CONST_STATE | TT_CONST_BAKED",
            },
            it.ty.rank(),
            it.storage_offset,
            it.bytes
        )
        .expect("writing to a string does not fail");
    }
    code.line("static const tt_constant_info constants[] = {");
    for row in rows.lines() {
        code.line(row);
    }
    code.line("};");
    "constants".to_owned()
}
