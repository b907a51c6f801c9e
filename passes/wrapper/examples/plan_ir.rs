//! Plans the IR texts named and says how high each arena is beside its lower bound, at the ends
//! of the ranges and between.

use std::{fs, time::Instant};

use pass::{PassCx, Step, Target, Unit};
use wrapper_passes::{PASSES, report::ArenaUse};

fn main() -> Result<(), String> {
    for path in std::env::args().skip(1) {
        let text = fs::read_to_string(&path).map_err(|it| format!("{path}: {it}"))?;
        let ops = [loops::ops(), wrapper::ops()].concat();
        let functions = ir::parse_module(&path, &text, &ops).map_err(|it| it.message)?;
        let target = Target::default();
        let mut unit = Unit { functions };
        let start = Instant::now();
        for pass in PASSES {
            let step = Step::new(pass);
            let cx = PassCx::new(&target, &step);
            unit = (pass.run)(&unit, &cx).map_err(|it| format!("{it:?}"))?;
        }
        let took = start.elapsed().as_millis();
        let Some(main) = unit.functions.first() else { continue };
        let arenas = ArenaUse::all(main);
        let Some(arena) = arenas.first() else { continue };
        println!("{path}: {} tensors, {took} ms, {}", arena.places.len(), arena.size);
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let value = |name: &str| {
                let range = main.facts.range_of_sym(name);
                let (a, b) = (range.lo.max(1) as f64, range.hi.min(4096) as f64);
                Some((a * (b / a).powf(part)).round() as i64)
            };
            let at = arena.at(&value)?;
            let ratio = at.size as f64 / at.lower_bound() as f64;
            println!(
                "  at {part}: {} / {} = {ratio:.3} {:?}",
                at.size,
                at.lower_bound(),
                at.fault()
            );
        }
    }
    Ok(())
}
