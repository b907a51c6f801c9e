//! `tintype bench`.

use std::time::{Duration, Instant};

use serde_json::json;
use tintype::{Failure, codes};

use super::{Outcome, Style, model::Source, process, show};

#[derive(clap::Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    source: Source,
    /// How long to run.
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    seconds: f64,
}

/// Calls before those that count, after the first.
const WARM_UP: usize = 3;
/// Calls that count, at least and at most.
const CALLS: std::ops::Range<usize> = 5..1_000_000;

pub(crate) fn run(args: &Bench, style: Style) -> Result<Outcome, Failure> {
    let Bench { source, seconds } = args;
    if !(0.0..=86_400.0).contains(seconds) {
        return Err(Failure::new(&codes::USAGE, "--seconds is from 0 to 86400"));
    }
    // An archive is compiled first, which is not what is measured.
    let prepared = source.prepare(style)?;
    process::forget_peak();
    let start = Instant::now();
    let model = prepared.load()?;
    let load = start.elapsed();
    let mut given = source.inputs_for(&model)?;
    let mut call = || -> Result<Duration, Failure> {
        let start = Instant::now();
        model.run_mut(&mut given.inputs)?;
        Ok(start.elapsed())
    };
    let first = call()?;
    for _ in 0..WARM_UP {
        call()?;
    }
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(*seconds);
    while times.len() < CALLS.start || Instant::now() < end && times.len() < CALLS.end {
        times.push(call()?);
    }
    times.sort_unstable();
    let ms = |it: Duration| it.as_secs_f64() * 1e3;
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share).round() as usize]);
    let peak = process::peak_memory();
    if style.json {
        show(&format!(
            "{:#}\n",
            json!({
                "calls": times.len(),
                "median_ms": at(0.5),
                "p10_ms": at(0.1),
                "p90_ms": at(0.9),
                "min_ms": at(0.0),
                "max_ms": at(1.0),
                "first_ms": ms(first),
                "load_ms": ms(load),
                "peak_bytes": peak,
            })
        ));
        return Ok(Outcome::Good);
    }
    let peak =
        peak.map_or("unknown".to_owned(), |it| format!("{:.1} MiB", it as f64 / 1_048_576.0));
    show(&format!(
        "median      {:.4} ms over {} calls\n\
         spread      {:.4} to {:.4} ms (10 % to 90 %), {:.4} to {:.4} ms in all\n\
         first call  {:.3} ms\n\
         load        {:.3} ms\n\
         peak memory {peak}\n",
        at(0.5),
        times.len(),
        at(0.1),
        at(0.9),
        at(0.0),
        at(1.0),
        ms(first),
        ms(load),
    ));
    Ok(Outcome::Good)
}
