//! Loads, stores and checked indices.

use ir::{DType, Type, ValueId};
use loops::{Bound, Lane, Load, Store, block_access, dynamic_index, linear_offset};
use sym::Expr;

use super::Printer;
use crate::{
    names::{memory_type, register_type},
    value::Reg,
};

/// Where a load or store goes, as printed.
pub(super) enum Place {
    /// One element, the same for all lanes.
    One(String),
    /// Elements side by side.
    Run(String),
    Strided {
        pointer: String,
        step: String,
    },
    /// Elements anywhere; `index` is a vector of offsets.
    Lanes {
        pointer: String,
        index: String,
    },
}

impl Printer<'_, '_> {
    /// Where a load or store goes.
    pub(super) fn place(&mut self, t: ValueId, at: &[Expr], dynamic: &[ValueId]) -> Place {
        let Type::Tensor(ty) = self.body.ty(t) else { unreachable!("verified: a tensor") };
        let offset = linear_offset(ty, at, &self.facts);
        let dynamic: Vec<Reg> = dynamic.iter().map(|it| self.reg(*it).clone()).collect();
        let dynamic_lanes =
            dynamic.iter().enumerate().any(|(i, it)| it.lanes && offset.mentions(&format!("d{i}")));
        let named = |it: &str| match dynamic_index(it).and_then(|it| dynamic.get(it)) {
            Some(reg) => reg.name.clone(),
            None => it.to_owned(),
        };
        let pointer = self.pointer(t).to_owned();
        let Some(lanes) = self.lanes.clone() else {
            let offset = sym::to_cpp(&offset, &self.facts, &named);
            return Place::One(format!("{pointer} + ({offset})"));
        };
        if dynamic_lanes {
            let index = self.per_lane(&offset, &dynamic);
            return Place::Lanes { pointer, index };
        }
        let text = sym::to_cpp(&offset, &self.facts, &named);
        match block_access(&offset, &lanes.axis, lanes.block, &self.facts) {
            Lane::Uniform => Place::One(format!("{pointer} + ({text})")),
            Lane::Contiguous => Place::Run(format!("{pointer} + ({text})")),
            Lane::Strided(step) => Place::Strided {
                pointer: format!("{pointer} + ({text})"),
                step: sym::to_cpp(&step, &self.facts, &named),
            },
            Lane::Gather => {
                let index = self.per_lane(&offset, &dynamic);
                Place::Lanes { pointer, index }
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.lanes.as_ref().is_none_or(|it| it.full)
    }

    /// The lanes a masked access may touch.
    pub(super) fn mask_text(&self, mask: &Reg) -> String {
        match (mask.lanes, self.is_full()) {
            (_, true) => format!("tt::vec<bool, N>({})", mask.vector()),
            (_, false) => format!("tt::vec<bool, N>({} & on)", mask.vector()),
        }
    }

    pub(super) fn load(&mut self, it: Load<'_>, value: ValueId) {
        let mask = it.mask().map(|it| self.reg(it).clone());
        let place = self.place(it.t(), &it.at(), &it.dynamic());
        let memory = memory_type(self.dtype(it.t()));
        let zero = format!("{}()", register_type(self.dtype(it.t())));
        let full = self.is_full();
        let (text, lanes) = match (place, mask) {
            (Place::One(at), None) => (format!("tt::load_one({at})"), false),
            (Place::One(at), Some(mask)) if !mask.lanes => {
                (format!("{} ? tt::load_one({at}) : {zero}", mask.name), false)
            }
            (Place::One(at), Some(mask)) => {
                let index = "tt::splat<N>(int64_t(0))";
                (format!("tt::gather<{memory}, N>({at}, {index}, {})", self.mask_text(&mask)), true)
            }
            (Place::Run(at), None) if full => (format!("tt::load<N>({at})"), true),
            (Place::Run(at), None) => (format!("tt::load_n<N>({at}, count)"), true),
            (Place::Run(at), Some(mask)) if !mask.lanes => {
                let load = if full {
                    format!("tt::load<N>({at})")
                } else {
                    format!("tt::load_n<N>({at}, count)")
                };
                (format!("{} ? {load} : tt::splat<N>({zero})", mask.name), true)
            }
            (Place::Run(at), Some(mask)) => {
                (format!("tt::load_masked<N>({at}, {})", self.mask_text(&mask)), true)
            }
            (Place::Strided { pointer, step }, None) => {
                let count = if full { "N" } else { "count" };
                (format!("tt::load_strided<N>({pointer}, {step}, {count})"), true)
            }
            (Place::Strided { pointer, step }, Some(mask)) => {
                let index = format!("tt::iota<N>(int64_t(0)) * tt::splat<N>(int64_t({step}))");
                (
                    format!(
                        "tt::gather<{memory}, N>({pointer}, {index}, {})",
                        self.mask_text(&mask)
                    ),
                    true,
                )
            }
            (Place::Lanes { pointer, index }, None) => {
                let count = if full { "N" } else { "count" };
                (format!("tt::gather<{memory}, N>({pointer}, {index}, int64_t({count}))"), true)
            }
            (Place::Lanes { pointer, index }, Some(mask)) => (
                format!("tt::gather<{memory}, N>({pointer}, {index}, {})", self.mask_text(&mask)),
                true,
            ),
        };
        self.define(value, &text, lanes);
    }

    pub(super) fn store(&mut self, it: Store<'_>) {
        let mask = it.mask().map(|it| self.reg(it).clone());
        let value = self.reg(it.value()).clone();
        let memory = memory_type(self.dtype(it.t()));
        let place = self.place(it.t(), &it.at(), &it.dynamic());
        let dtype = self.dtype(it.t());
        let vector = match dtype {
            DType::Bool => format!("tt::vec<bool, N>({})", value.vector()),
            _ => value.vector(),
        };
        if let (Place::One(at), "set") = (&place, it.mode().as_str()) {
            let guard = mask.map_or(String::new(), |it| format!("if ({}) ", it.name));
            // In lanes, all of which write one element, the last one stays.
            let value = match (value.lanes, self.is_full()) {
                (false, _) => value.name,
                (true, true) => format!("{vector}[N - 1]"),
                (true, false) => format!("{vector}[count - 1]"),
            };
            return self.code.line(format!("{guard}tt::store_one({at}, {value});"));
        }
        if it.mode() != "set" || mask.is_some() {
            return self.store_each(&place, mask, &value, &vector, &it.mode(), dtype);
        }
        let full = self.is_full();
        let count = if full { "N" } else { "count" };
        let line = match place {
            Place::One(_) => unreachable!("handled above"),
            Place::Run(at) if full => format!("tt::store({at}, {vector});"),
            Place::Run(at) => format!("tt::store_n({at}, {vector}, count);"),
            Place::Strided { pointer, step } => {
                format!("tt::store_strided({pointer}, {step}, {vector}, {count});")
            }
            Place::Lanes { pointer, index } => {
                format!("tt::scatter<{memory}, N>({pointer}, {index}, {vector}, {count});")
            }
        };
        self.code.line(line);
    }

    /// Element after element: combining stores and masked ones.
    pub(super) fn store_each(
        &mut self,
        place: &Place,
        mask: Option<Reg>,
        value: &Reg,
        vector: &str,
        mode: &str,
        dtype: DType,
    ) {
        let lane = |text: &str, lanes: bool| match lanes {
            true => format!("{text}[lane]"),
            false => text.to_owned(),
        };
        let in_lanes = self.lanes.is_some();
        let (at, single) = match place {
            Place::One(at) => {
                (at.clone(), !value.lanes && !mask.as_ref().is_some_and(|it| it.lanes))
            }
            Place::Run(at) => (format!("{at} + lane"), false),
            Place::Strided { pointer, step } => (format!("{pointer} + lane * ({step})"), false),
            Place::Lanes { pointer, index } => (format!("{pointer} + {index}[lane]"), false),
        };
        let element = match single {
            true => value.name.clone(),
            false => lane(if value.lanes { vector } else { &value.name }, value.lanes),
        };
        let guard = match &mask {
            None => String::new(),
            Some(it) if it.lanes => format!("if (tt::vec<bool, N>({})[lane]) ", it.name),
            Some(it) => format!("if ({}) ", it.name),
        };
        let ty = register_type(dtype);
        let old = format!("tt::load_one({at})");
        let combined = match mode {
            "add" if dtype == DType::Bool => format!("({old} || {element})"),
            "add" if dtype.is_int() => format!("{ty}(uint64_t({old}) + uint64_t({element}))"),
            "mul" if dtype.is_int() => format!("{ty}(uint64_t({old}) * uint64_t({element}))"),
            "add" => format!("({old} + {element})"),
            "mul" => format!("({old} * {element})"),
            "max" => format!("tt::maximum(tt::splat<N>({old}), tt::splat<N>({ty}({element})))[0]"),
            "min" => format!("tt::minimum(tt::splat<N>({old}), tt::splat<N>({ty}({element})))[0]"),
            _ => element,
        };
        let store = format!("{guard}tt::store_one({at}, {ty}({combined}));");
        match single && (!in_lanes || mode == "set") {
            true => self.code.line(store),
            false => {
                let count = if self.is_full() { "N" } else { "int(count)" };
                self.code.line(format!("for (int lane = 0; lane < {count}; lane++) {store}"));
            }
        }
    }

    pub(super) fn bound(&mut self, it: Bound<'_>, value: ValueId) {
        let x = self.reg(it.x()).clone();
        let mask = it.mask().map(|it| self.reg(it).clone());
        let size = self.size(&it.size());
        let check = |index: &str| format!("tt::bound_index({index}, {size}, fault)");
        if !x.lanes && !mask.as_ref().is_some_and(|it| it.lanes) {
            let text = match mask {
                None => check(&x.name),
                Some(mask) => format!("{} ? {} : int64_t(0)", mask.name, check(&x.name)),
            };
            return self.define(value, &text, false);
        }
        let mask = mask.map(|it| self.mask_text(&it));
        let on = match (mask, self.is_full()) {
            (Some(it), _) => format!(", {it}"),
            (None, true) => String::new(),
            (None, false) => ", tt::vec<bool, N>(on)".to_owned(),
        };
        let text = format!("tt::bound_index<N>({}, {size}, fault{on})", x.vector());
        self.define(value, &text, true);
    }
}
