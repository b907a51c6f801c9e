//! How much of its state a run of a model writes.

use std::path::Path;

use catalog::Phase;
use ir::Function;
use toolchain::TargetCpu;
pub use wrapper_passes::writes::StateWrites;
use wrapper_passes::writes::state_writes;

use crate::{
    Failure,
    session::{lowered, map},
};

/// What a run writes of each buffer and input that it writes, but for what bodies of control flow
/// write on their own.
pub fn writes(path: &Path) -> Result<Vec<StateWrites>, Failure> {
    let file = map(path)?;
    let session = lowered(path, &file, &TargetCpu::Native, Phase::Wrapper)?;
    let units = session.after(Phase::Wrapper);
    let Some(unit) = units.first() else { return Ok(Vec::new()) };
    let kernels: Vec<&Function> = unit.functions.iter().skip(1).collect();
    Ok(unit.main().map_or(Vec::new(), |it| state_writes(it, &kernels)))
}
