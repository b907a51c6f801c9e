//! What a model's run keeps where and when: as data, JSON and MiniMalloc's CSV.

use std::{collections::BTreeMap, path::Path};

use catalog::Phase;
use diag::{Diag, codes};
use import::OriginInfo;
use ir::{Function, ParamKind};
use serde_json::{Value, json};
use toolchain::TargetCpu;
use wrapper_passes::{
    arena::{Item, Limits, Named, live, lower_bound, plan as arena_plan, write_csv},
    report::{ArenaAt, ArenaUse, Place, bodies_bytes},
};

use crate::{
    Failure,
    inputs::{Sizes, sample_inputs, usual_size},
    session::{lowered, map},
};

/// A tensor in the arena.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryBuffer {
    /// The node of the exported program whose value it holds, or its number.
    pub name: String,
    /// Its dtype and sizes.
    pub ty: String,
    /// The kernel that writes it first; empty if none does.
    pub kernel: String,
    /// The line of Python it came from; empty if the archive does not say.
    pub source: String,
    /// From the arena's start, in bytes.
    pub offset: i64,
    /// Bytes.
    pub size: i64,
    /// The first statement that uses it.
    pub start: i64,
    /// The statement after the last that uses it.
    pub end: i64,
}

/// The memory of a run, its weights and outputs apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoryPlan {
    /// The model's name.
    pub name: String,
    /// The sizes it is shown at.
    pub sizes: BTreeMap<String, i64>,
    /// Bytes of the arena.
    pub arena: i64,
    /// The most bytes that bodies of control flow have at once, beside the arena.
    pub bodies: i64,
    /// No arena can be smaller.
    pub lower_bound: i64,
    /// What is in it, in program order.
    pub buffers: Vec<MemoryBuffer>,
    /// The least and the greatest value of each size, where it has both.
    pub ranges: BTreeMap<String, (i64, i64)>,
}

/// The memory of a model's run at sizes: those given, else usual ones in range.
pub fn memory_plan(path: &Path, chosen: &Sizes) -> Result<MemoryPlan, Failure> {
    let file = map(path)?;
    let session = lowered(path, &file, &TargetCpu::Native, Phase::Wrapper)?;
    let units = session.after(Phase::Wrapper);
    let Some((unit, main)) = units.first().and_then(|it| Some((it, it.main()?))) else {
        return Err(Failure::new(&codes::ARCHIVE, "the file has no program"));
    };
    let hints = hints(path, main);
    let mut sizes = Sizes::new();
    for name in wrapper_passes::report::model_symbols(main) {
        let sym::Range { lo, hi } = main.facts.range_of_sym(&name);
        let size = chosen.get(&*name).or_else(|| hints.get(&*name)).copied();
        sizes.insert(name.to_string(), size.unwrap_or_else(|| usual_size(lo.max(0), hi)));
    }
    if let Some(name) = chosen.keys().find(|it| !sizes.contains_key(*it)) {
        let message = format!("the model has no size called `{name}`");
        return Err(Failure::new(&codes::USAGE, message));
    }
    let origins = session.origins();
    let name = path.file_stem().map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    let mut ranges = BTreeMap::new();
    for name in sizes.keys() {
        let sym::Range { lo, hi } = main.facts.range_of_sym(name);
        // Without a bound, sizes that a machine's memory has room for.
        ranges.insert(name.clone(), (lo.max(0), hi.min(lo.max(0).saturating_add(4096))));
    }
    let mut res = MemoryPlan {
        name,
        sizes,
        arena: 0,
        bodies: 0,
        lower_bound: 0,
        buffers: Vec::new(),
        ranges,
    };
    for arena in ArenaUse::all(main) {
        let at = arena.at(&|name| res.sizes.get(name).copied());
        let at = at.map_err(|it| Diag::error(&codes::INPUT, format!("no size of memory: {it}")))?;
        for ((place, item), offset) in arena.places.iter().zip(&at.items).zip(&at.offsets) {
            // Arenas lie one behind the other.
            res.buffers.push(buffer(place, item, res.arena + offset, &origins));
        }
        res.arena += at.size;
    }
    res.lower_bound = lower_bound(&res.items());
    res.bodies = bodies(&unit.functions, main, &res.sizes);
    Ok(res)
}

/// The memory of bodies of control flow, in bytes. A size that only a body knows is a usual one.
fn bodies(functions: &[Function], main: &Function, sizes: &Sizes) -> i64 {
    let usual = |name: &str| {
        let knows = |it: &&Function| it.facts.symbols().iter().any(|it| **it == *name);
        let facts = &functions.iter().find(knows).unwrap_or(main).facts;
        let sym::Range { lo, hi } = facts.range_of_sym(name);
        usual_size(lo.max(0), hi)
    };
    let value = |name: &str| Some(sizes.get(name).copied().unwrap_or_else(|| usual(name)));
    bodies_bytes(functions, main).eval(&value).unwrap_or(0)
}

/// The sizes of the archive's example, as far as dimensions say them plainly.
fn hints(path: &Path, main: &Function) -> Sizes {
    let Ok(Some(samples)) = sample_inputs(path) else { return Sizes::new() };
    let users = main.params.iter().zip(&main.body.root.params);
    let users = users.filter(|it| it.0.kind == ParamKind::User);
    let mut res = Sizes::new();
    for ((_, value), sample) in users.zip(&samples) {
        let Some(ty) = main.body.ty(*value).as_tensor() else { continue };
        for (dim, size) in ty.shape.iter().zip(sample.shape()) {
            if let (Some(name), Ok(size)) = (dim.as_sym(), i64::try_from(*size)) {
                res.entry(name.to_owned()).or_insert(size);
            }
        }
    }
    res
}

/// The arena beside the least possible one, at the sizes of the archive's example, at the smallest
/// and at the largest ones.
pub fn memory_at_sizes(path: &Path) -> Result<Value, Failure> {
    let at_example = memory_plan(path, &Sizes::new())?;
    let ends = |pick: fn(i64, i64) -> i64| -> Sizes {
        let range = |name: &String| at_example.ranges.get(name).copied().unwrap_or((0, 0));
        let of = |name: &String| pick(range(name).0, range(name).1);
        at_example.sizes.keys().map(|it| (it.clone(), of(it))).collect()
    };
    let mut res = serde_json::Map::new();
    for (what, sizes) in [
        ("example", at_example.sizes.clone()),
        ("least", ends(|it, _| it)),
        ("most", ends(|_, it| it)),
    ] {
        let plan = memory_plan(path, &sizes)?;
        let items = plan.items();
        let fixed = arena_plan(&items, Limits { capacity: None, steps: 20_000 });
        let fault = plan.fault();
        res.insert(
            what.to_owned(),
            json!({
                "sizes": plan.sizes, "arena": plan.arena, "bodies": plan.bodies,
                "lower_bound": plan.lower_bound, "fixed": fixed.height, "fault": fault,
            }),
        );
    }
    Ok(Value::Object(res))
}

fn buffer(place: &Place, item: &Item, offset: i64, origins: &[OriginInfo]) -> MemoryBuffer {
    let origin = usize::try_from(place.origin.0).ok().and_then(|it| origins.get(it));
    let node = origin.map(|it| it.node.clone()).filter(|it| !it.is_empty());
    let source = match origin {
        Some(it) if !it.file.is_empty() => {
            let file = it.file.rsplit(['/', '\\']).next().unwrap_or("");
            format!("{file}:{}: {}", it.line, it.code)
        }
        _ => String::new(),
    };
    let dims: Vec<String> = place.ty.shape.iter().map(ToString::to_string).collect();
    MemoryBuffer {
        name: node.unwrap_or_else(|| place.value.to_string()),
        ty: format!("{}[{}]", place.ty.dtype, dims.join(", ")),
        kernel: place.kernel.clone().unwrap_or_default(),
        source,
        offset,
        size: item.size,
        start: item.start,
        end: item.end,
    }
}

impl MemoryPlan {
    /// Lives and sizes of the buffers.
    pub fn items(&self) -> Vec<Item> {
        let item = |it: &MemoryBuffer| Item { start: it.start, end: it.end, size: it.size };
        self.buffers.iter().map(item).collect()
    }

    /// Two buffers that overlap while both are in use, or one outside the arena.
    pub fn fault(&self) -> Option<String> {
        let offsets = self.buffers.iter().map(|it| it.offset).collect();
        ArenaAt { size: self.arena, items: self.items(), offsets }.fault()
    }

    /// The bytes in use from each statement at which that changes.
    pub fn live(&self) -> Vec<(i64, i64)> {
        live(&self.items())
    }

    /// The buffers in use at the first moment at which most is in use, the largest first.
    pub fn at_peak(&self) -> Vec<&MemoryBuffer> {
        let at = self.live().into_iter().find(|it| it.1 == self.lower_bound).map(|it| it.0);
        let is_live = |it: &&MemoryBuffer| at.is_some_and(|at| it.start <= at && at < it.end);
        let mut res: Vec<&MemoryBuffer> = self.buffers.iter().filter(is_live).collect();
        res.sort_by_key(|it| (std::cmp::Reverse(it.size), it.offset));
        res
    }

    /// As MiniMalloc's CSV, with offsets.
    pub fn to_csv(&self) -> String {
        let name = |(i, it): (usize, &MemoryBuffer)| {
            let is_plain = |it: char| it.is_alphanumeric() || "_.%-".contains(it);
            format!("{i}_{}", it.name.replace(|it| !is_plain(it), "_"))
        };
        let items = self.items();
        let named: Vec<Named> = self
            .buffers
            .iter()
            .enumerate()
            .zip(items)
            .map(|(it, item)| Named { id: name(it), item })
            .collect();
        let offsets: Vec<i64> = self.buffers.iter().map(|it| it.offset).collect();
        write_csv(&named, Some(&offsets))
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let buffers: Vec<Value> = self
            .buffers
            .iter()
            .map(|it| {
                json!({
                    "name": it.name, "type": it.ty, "kernel": it.kernel, "source": it.source,
                    "offset": it.offset, "size": it.size, "start": it.start, "end": it.end,
                })
            })
            .collect();
        json!({
            "model": self.name, "sizes": self.sizes, "arena": self.arena, "bodies": self.bodies,
            "lower_bound": self.lower_bound, "buffers": buffers,
        })
    }

    /// What [`MemoryPlan::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<MemoryPlan> {
        let text = |it: &Value, key: &str| Some(it.get(key)?.as_str()?.to_owned());
        let number = |it: &Value, key: &str| it.get(key)?.as_i64();
        let sizes = value.get("sizes")?.as_object()?.iter();
        let buffers = value.get("buffers")?.as_array()?.iter().map(|it| {
            Some(MemoryBuffer {
                name: text(it, "name")?,
                ty: text(it, "type")?,
                kernel: text(it, "kernel")?,
                source: text(it, "source")?,
                offset: number(it, "offset")?,
                size: number(it, "size")?,
                start: number(it, "start")?,
                end: number(it, "end")?,
            })
        });
        Some(MemoryPlan {
            name: text(value, "model")?,
            sizes: sizes.map(|it| Some((it.0.clone(), it.1.as_i64()?))).collect::<Option<_>>()?,
            arena: number(value, "arena")?,
            // Plans from before bodies were counted.
            bodies: number(value, "bodies").unwrap_or(0),
            lower_bound: number(value, "lower_bound")?,
            buffers: buffers.collect::<Option<_>>()?,
            ranges: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> MemoryPlan {
        let buffer = |name: &str, offset, size, start, end| MemoryBuffer {
            name: name.to_owned(),
            ty: "f32[16]".to_owned(),
            kernel: "k".to_owned(),
            source: "model.py:3: x < y & z".to_owned(),
            offset,
            size,
            start,
            end,
        };
        MemoryPlan {
            name: "m".to_owned(),
            sizes: [("s0".to_owned(), 4)].into(),
            arena: 192,
            bodies: 64,
            lower_bound: 192,
            ranges: BTreeMap::new(),
            buffers: vec![buffer("a<b>", 0, 64, 0, 3), buffer("b", 64, 128, 2, 5)],
        }
    }

    #[test]
    fn json_reads_back() {
        let plan = sample();
        assert_eq!(MemoryPlan::from_json(&plan.to_json()), Some(plan));
        assert_eq!(MemoryPlan::from_json(&json!({ "model": "m" })), None);
    }

    #[test]
    fn csv_reads_back_with_plain_names() {
        let text = sample().to_csv();
        let items = wrapper_passes::arena::read_csv(&text).unwrap();
        assert_eq!(items[0].id, "0_a_b_");
        assert_eq!(items.iter().map(|it| it.item).collect::<Vec<_>>(), sample().items());
        assert!(text.ends_with("1_b,2,5,128,64\n"));
    }

    #[test]
    fn the_peak_lists_what_is_in_use_there() {
        let plan = sample();
        let names: Vec<&str> = plan.at_peak().iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["b", "a<b>"]);
    }
}
