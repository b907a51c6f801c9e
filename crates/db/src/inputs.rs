//! What comes from outside.
//!
//! How often an input changes says what has to be looked at again after an edit: an archive does,
//! a pipeline may, a target hardly ever. Each part is a field of its own, and what reads one does
//! not depend on another: editing the passes of `loops` reruns nothing before them.

#![expect(missing_docs, reason = "salsa generates methods without documentation")]

use std::{fmt, sync::Arc};

use ::import::ExportedProgram;
use catalog::{Phase, Pipeline};
use pass::{Step, Target};
use salsa::{Durability, Setter};

use crate::{Database, Db};

/// What a program is read from.
#[derive(Clone)]
pub enum Source {
    /// The program of an export archive, without its weights.
    Export(Arc<ExportedProgram>),
    /// IR text, and what diagnostics call it.
    Module {
        /// The name of the text.
        name: String,
        /// The text.
        text: Arc<str>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Export(_) => f.write_str("an export"),
            Source::Module { name, text: _ } => write!(f, "{name}"),
        }
    }
}

/// Where the weights are. Their bytes are mapped outside of queries.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct WeightsRef {
    /// The file that holds them.
    pub path: String,
    /// What names its content.
    pub digest: String,
}

/// The machine that is compiled for.
#[salsa::input(debug)]
pub struct TargetInput {
    /// What passes know of it.
    pub target: Target,
}

/// The passes of each phase.
#[salsa::input(debug)]
pub struct PipelineInput {
    /// Those of [`Phase::Aten`].
    pub aten: Arc<[Step]>,
    /// Those of [`Phase::Tensor`].
    pub tensor: Arc<[Step]>,
    /// Those of [`Phase::Loops`].
    pub loops: Arc<[Step]>,
    /// Those of [`Phase::Wrapper`].
    pub wrapper: Arc<[Step]>,
}

/// A program to compile.
#[salsa::input(debug)]
pub struct Archive {
    /// What it is read from.
    pub source: Source,
    /// Where its weights are.
    pub weights: WeightsRef,
    /// The first and the last phase to run: what is read from text may start at any level.
    #[returns(copy)]
    pub phases: (Phase, Phase),
    /// The machine that it is compiled for.
    #[returns(copy)]
    pub target: TargetInput,
    /// The passes that compile it.
    #[returns(copy)]
    pub pipeline: PipelineInput,
}

impl Archive {
    /// Whether a phase is to run; one that is not leaves everything as it is.
    pub(crate) fn runs(self, db: &dyn Db, phase: Phase) -> bool {
        let (first, last) = self.phases(db);
        (first..=last).contains(&phase)
    }
}

impl PipelineInput {
    /// The passes of a phase. Depends on the passes of no other.
    pub fn steps(self, db: &dyn Db, phase: Phase) -> &[Step] {
        match phase {
            Phase::Aten => self.aten(db),
            Phase::Tensor => self.tensor(db),
            Phase::Loops => self.loops(db),
            Phase::Wrapper => self.wrapper(db),
        }
    }
}

impl Database {
    /// Adds a program.
    pub fn add_archive(
        &self,
        source: Source,
        weights: WeightsRef,
        phases: (Phase, Phase),
        target: Target,
        pipeline: &Pipeline,
    ) -> Archive {
        let target = TargetInput::builder(target).durability(Durability::HIGH).new(self);
        let steps = |phase: Phase| Arc::<[Step]>::from(pipeline.steps(phase));
        let pipeline = PipelineInput::builder(
            steps(Phase::Aten),
            steps(Phase::Tensor),
            steps(Phase::Loops),
            steps(Phase::Wrapper),
        )
        .durability(Durability::MEDIUM)
        .new(self);
        Archive::new(self, source, weights, phases, target, pipeline)
    }

    /// Gives a program other passes. Phases whose passes are the same do not count as changed.
    pub fn set_pipeline(&mut self, archive: Archive, pipeline: &Pipeline) {
        let input = archive.pipeline(self);
        for phase in Phase::ALL {
            let steps = pipeline.steps(phase);
            if input.steps(self, phase) == steps {
                continue;
            }
            let steps = Arc::from(steps);
            match phase {
                Phase::Aten => input.set_aten(self).to(steps),
                Phase::Tensor => input.set_tensor(self).to(steps),
                Phase::Loops => input.set_loops(self).to(steps),
                Phase::Wrapper => input.set_wrapper(self).to(steps),
            };
        }
    }

    /// Promises that nothing of a program changes any more, so that no dependencies are kept.
    /// For compiling once; setting one of its inputs afterwards panics.
    pub fn freeze(&mut self, archive: Archive) {
        const NEVER: Durability = Durability::NEVER_CHANGE;
        macro_rules! freeze {
            ($input:expr, $($get:ident $set:ident),+) => {$(
                let value = $input.$get(self).clone();
                $input.$set(self).with_durability(NEVER).to(value);
            )+};
        }
        let (target, pipeline) = (archive.target(self), archive.pipeline(self));
        let phases = archive.phases(self);
        freeze!(target, target set_target);
        freeze!(pipeline, aten set_aten, tensor set_tensor, loops set_loops, wrapper set_wrapper);
        freeze!(archive, source set_source, weights set_weights);
        archive.set_phases(self).with_durability(NEVER).to(phases);
        archive.set_target(self).with_durability(NEVER).to(target);
        archive.set_pipeline(self).with_durability(NEVER).to(pipeline);
    }
}
