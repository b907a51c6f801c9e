//! Values in printed code: the name of a register, and whether it has lanes.

use ir::{DType, ValueId};

/// A register.
#[derive(Clone, Debug)]
pub(crate) struct Reg {
    /// What to print for it.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Whether it is a vector of lanes.
    pub lanes: bool,
}

impl Reg {
    pub(crate) fn scalar(name: impl Into<String>, dtype: DType) -> Reg {
        Reg { name: name.into(), dtype, lanes: false }
    }

    /// As a vector: itself, or the same in every lane.
    pub(crate) fn vector(&self) -> String {
        match self.lanes {
            true => self.name.clone(),
            false => format!("tt::splat<N>({})", self.name),
        }
    }
}

/// The name of a value's register.
pub(crate) fn name(value: ValueId) -> String {
    format!("v{}", value.0)
}
