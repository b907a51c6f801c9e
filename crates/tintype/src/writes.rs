//! How much of its state a run of a model writes.

use std::{path::Path, sync::Arc};

use catalog::Phase;
use ir::Function;
use toolchain::TargetCpu;
pub use wrapper_passes::writes::StateWrites;
use wrapper_passes::writes::state_writes;

use crate::{
    Failure,
    session::{Session, Settings, map, open, target},
};

/// What a run writes of each buffer and input that it writes, but for what bodies of control flow
/// write on their own.
pub fn writes(path: &Path) -> Result<Vec<StateWrites>, Failure> {
    let file = Arc::new(map(path)?);
    let opened = open(path, &file)?;
    let settings =
        Settings { target: target(&TargetCpu::Native), pipeline: None, unchecked: false };
    let session = Session::new(opened.source.clone(), (opened.level, Phase::Wrapper), &settings)?;
    session.check(Phase::Wrapper)?;
    let units = session.after(Phase::Wrapper);
    let Some(unit) = units.first() else { return Ok(Vec::new()) };
    let kernels: Vec<&Function> = unit.functions.iter().skip(1).collect();
    Ok(unit.main().map_or(Vec::new(), |it| state_writes(it, &kernels)))
}
