//! `tintype plan`.

use std::{fs, path::PathBuf};

use serde_json::json;
use tintype::{
    Diag, Failure,
    arena::{Item, Limits, Plan as Planned, first_fit_by_size, plan, read_csv, write_csv},
    codes,
};

use super::{Outcome, Style, show};

/// Places things of known size and life in one piece of memory.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// What to place, in MiniMalloc's CSV: columns id, lower, upper and size. A thing lives from
    /// lower until before upper.
    input: PathBuf,
    /// A height that is enough; the least possible one without.
    #[arg(long, value_name = "N")]
    capacity: Option<i64>,
    /// Where the CSV with offsets is written.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How many placements the search may try.
    #[arg(long, value_name = "N", default_value_t = Limits::default().steps)]
    steps: u64,
}

pub(crate) fn run(args: &Plan, style: Style) -> Result<Outcome, Failure> {
    let failed = |it: String| Failure::from(Diag::error(&codes::INPUT, it));
    let text = fs::read_to_string(&args.input).map_err(|it| {
        Failure::from(Diag::error(&codes::IO, format!("{}: {it}", args.input.display())))
    })?;
    let named = read_csv(&text).map_err(|it| failed(format!("{}: {it}", args.input.display())))?;
    let items: Vec<Item> = named.iter().map(|it| it.item).collect();
    let start = std::time::Instant::now();
    let found = plan(&items, Limits { capacity: args.capacity, steps: args.steps });
    let seconds = start.elapsed().as_secs_f64();
    if let Some(path) = &args.output {
        fs::write(path, write_csv(&named, Some(&found.offsets))).map_err(|it| {
            Failure::from(Diag::error(&codes::IO, format!("{}: {it}", path.display())))
        })?;
    }
    let offsets = first_fit_by_size(&items);
    let tops = items.iter().zip(offsets).filter(|it| it.0.start < it.0.end);
    let first_fit = tops.map(|it| it.0.size + it.1).max().unwrap_or(0);
    let Planned { height, lower_bound, is_exact, steps, .. } = found;
    if style.json {
        show(&format!(
            "{}\n",
            json!({
                "items": items.len(), "height": height, "lower_bound": lower_bound,
                "is_exact": is_exact, "steps": steps, "seconds": seconds, "first_fit": first_fit,
            })
        ));
    } else {
        let least = if is_exact { ", the least possible" } else { "" };
        show(&format!(
            "{} items in {height}{least}; {lower_bound} are in use at once, and first fit by size \
             needs {first_fit}\n",
            items.len()
        ));
    }
    match args.capacity.is_some_and(|it| it < height) {
        true => Ok(Outcome::CheckFailed),
        false => Ok(Outcome::Good),
    }
}
