//! One program in a database, from its archive on.

use std::{path::Path, path::PathBuf, sync::Arc};

use catalog::{Phase, Pipeline};
use db::{Database, Source, WeightsRef};
use diag::{Diag, Severity, Sources, codes};
use import::{Mapped, Weights};
use ir::Function;
use pass::{Repro, Target, Unit};
use toolchain::TargetCpu;

use crate::{Failure, locate::locate};

/// A program that has been read, its weights where they are.
pub(crate) struct Opened<'a> {
    pub(crate) source: Source,
    pub(crate) weights: Weights<'a>,
    /// The level it is at: the first phase that has something to do.
    pub(crate) level: Phase,
}

/// Maps a file. It must not be changed while it is used.
pub(crate) fn map(path: &Path) -> Result<Mapped, Failure> {
    let io = |error| Failure::io(path, &error);
    let meta = std::fs::metadata(path).map_err(io)?;
    if !meta.is_file() || meta.len() == 0 {
        let what = if meta.is_file() { "is empty" } else { "is not a file" };
        return Err(Failure::new(&codes::ARCHIVE, format!("{} {what}", path.display())));
    }
    Mapped::open(path).map_err(io)
}

/// A file's program as a session that has run every phase up to `to`, or failed; inputs are checked.
pub(crate) fn lowered(
    path: &Path,
    file: &Mapped,
    cpu: &TargetCpu,
    to: Phase,
) -> Result<Session, Failure> {
    let opened = open(path, file)?;
    let settings = Settings { target: target(cpu), pipeline: None, unchecked: false };
    let session = Session::new(opened.source.clone(), (opened.level, to), &settings)?;
    session.check(to)?;
    Ok(session)
}

/// Reads a mapped file: an archive, or IR text, which has no weights.
pub(crate) fn open<'a>(path: &Path, map: &'a Mapped) -> Result<Opened<'a>, Failure> {
    if !is_ir(path) {
        let archive = read(path, map)?;
        let source = Source::Export(Arc::new(archive.program));
        return Ok(Opened { source, weights: archive.weights, level: Phase::Aten });
    }
    let name = path.display().to_string();
    let text = std::str::from_utf8(map)
        .map_err(|_| Failure::new(&codes::PARSE, format!("{name} is not UTF-8")))?;
    let source = Source::Module { name, text: text.into() };
    Ok(Opened { source, weights: Weights::default(), level: level(text) })
}

/// The level of an IR text: that of the highest op in it. Phases are called after the level they
/// start from.
fn level(text: &str) -> Phase {
    let is_at = |phase: Phase| {
        text.lines().any(|line| {
            let line = line.trim_start();
            let op =
                if line.starts_with('%') { line.split_once(" = ").map(|it| it.1) } else { None };
            let op = op.unwrap_or(line).strip_prefix(phase.name());
            op.is_some_and(|it| it.starts_with('.'))
        })
    };
    Phase::ALL.into_iter().find(|it| is_at(*it)).unwrap_or(Phase::Aten)
}

/// Whether a file is IR text, by its name.
pub(crate) fn is_ir(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "ir")
}

/// Reads a mapped archive whole; what is wrong with it names the file.
pub(crate) fn read<'a>(path: &Path, map: &'a Mapped) -> Result<import::Archive<'a>, Failure> {
    import::read(map).map_err(|error| {
        let mut failure = Failure::from(error);
        for it in &mut failure.diags {
            it.message = format!("{}: {}", path.display(), it.message);
        }
        failure
    })
}

/// What a program is compiled with.
pub(crate) struct Settings<'a> {
    pub(crate) target: Target,
    /// The text of a pipeline, and what diagnostics call it; the default one without.
    pub(crate) pipeline: Option<(&'a str, &'a str)>,
    /// Whether checks of inputs are left out, whatever the pipeline says.
    pub(crate) unchecked: bool,
}

impl Settings<'_> {
    pub(crate) fn pipeline(&self) -> Result<Pipeline, Failure> {
        let mut pipeline = match self.pipeline {
            None => Pipeline::standard(),
            Some((name, text)) => Pipeline::parse(name, text).map_err(|diags| {
                let mut failure = Failure::from(diags);
                failure.sources.add(name, text);
                failure
            })?,
        };
        if self.unchecked {
            let mut steps = pipeline.steps(Phase::Wrapper).to_vec();
            for step in steps.iter_mut().filter(|it| it.option("checks").is_some()) {
                step.set("checks", "false")?;
            }
            pipeline.set_steps(Phase::Wrapper, steps);
        }
        Ok(pipeline)
    }
}

/// What passes may know of a CPU. What only the host compiler knows counts as any machine.
pub(crate) fn target(cpu: &TargetCpu) -> Target {
    let level = match cpu {
        TargetCpu::Native => TargetCpu::host_level(),
        TargetCpu::Level(level) => *level,
        TargetCpu::Baseline | TargetCpu::Named(_) => 0,
    };
    let isa = match level {
        4.. => "avx512",
        3 => "avx2",
        _ => "base",
    };
    Target { name: cpu.to_string(), ..Target::of_isa(isa) }
}

/// A program under compilation.
pub(crate) struct Session {
    pub(crate) db: Database,
    pub(crate) archive: db::Archive,
    /// The text the program was read from, if it was.
    pub(crate) sources: Sources,
}

impl Session {
    /// Puts a program into a new database that nobody will change.
    pub(crate) fn new(
        source: Source,
        phases: (Phase, Phase),
        settings: &Settings<'_>,
    ) -> Result<Session, Failure> {
        let pipeline = settings.pipeline()?;
        let mut sources = Sources::default();
        if let Source::Module { name, text } = &source {
            sources.add(name.as_str(), &**text);
        }
        let mut db = Database::default();
        let target = settings.target.clone();
        let archive = db.add_archive(source, WeightsRef::default(), phases, target, &pipeline);
        db.freeze(archive);
        Ok(Session { db, archive, sources })
    }

    /// Everything wrong with the program up to a phase, each where it belongs. Reproducers are of
    /// failures that are not the model's fault.
    pub(crate) fn check(&self, to: Phase) -> Result<Vec<Diag>, Failure> {
        let Session { db, archive, sources } = self;
        let imported = db::import(db, *archive);
        let mut failure = Failure { sources: sources.clone(), ..Failure::default() };
        let mut repros: Vec<Arc<Repro>> = Vec::new();
        let first = imported.functions.first().map(|it| it.origins(db)).unwrap_or_default();
        for diag in imported.diags.iter() {
            failure.diags.push(locate(diag.clone(), first, &mut failure.sources));
        }
        if !imported.failed() {
            for function in &imported.functions {
                for phase in Phase::ALL.into_iter().filter(|it| *it <= to) {
                    let lowered = db::lowered(db, *function, phase);
                    let ours = lowered.diags.iter().any(is_ours);
                    repros.extend(lowered.repro.iter().filter(|_| ours).cloned());
                    for diag in lowered.diags.iter() {
                        let origins = function.origins(db);
                        failure.diags.push(locate(diag.clone(), origins, &mut failure.sources));
                    }
                }
            }
        }
        if !failure.diags.iter().any(|it| it.severity == Severity::Error) {
            return Ok(failure.diags);
        }
        failure.repro = repros.first().and_then(|it| write_repro(it));
        Err(failure)
    }

    /// What the passes of a phase counted in the first function: the pass, what, and how many.
    pub(crate) fn counts(&self, phase: Phase) -> &[(&'static str, &'static str, u64)] {
        let functions = &db::import(&self.db, self.archive).functions;
        functions.first().map_or(&[], |it| &db::lowered(&self.db, *it, phase).counts)
    }

    /// Where the first function's ops came from, by their origin's number.
    pub(crate) fn origins(&self) -> Vec<import::OriginInfo> {
        let functions = &db::import(&self.db, self.archive).functions;
        functions.first().map(|it| it.origins(&self.db).to_vec()).unwrap_or_default()
    }

    /// The functions as they were read.
    pub(crate) fn imported(&self) -> Vec<&Function> {
        let functions = &db::import(&self.db, self.archive).functions;
        functions.iter().filter_map(|it| it.body(&self.db).0.main()).collect()
    }

    /// Every function after a phase, with what was outlined from it.
    pub(crate) fn after(&self, phase: Phase) -> Vec<&Arc<Unit>> {
        let functions = &db::import(&self.db, self.archive).functions;
        functions.iter().map(|it| db::lowered(&self.db, *it, phase).unit()).collect()
    }
}

/// Whether an error is the compiler's fault, so that a reproducer is worth having.
fn is_ours(diag: &Diag) -> bool {
    ![&codes::UNSUPPORTED, &codes::UNDECIDED_SIZE, &codes::SIZE_EXPRESSION].contains(&diag.code)
}

/// Writes a reproducer where the user is, or where temporary files go.
pub(crate) fn write_repro(repro: &Repro) -> Option<PathBuf> {
    [PathBuf::new(), std::env::temp_dir()].into_iter().find_map(|folder| {
        let path = folder.join(&repro.file_name);
        std::fs::write(&path, &repro.text).ok().map(|()| path)
    })
}
