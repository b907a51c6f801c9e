//! Running passes under observation.

use std::{
    fmt::Write,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Phase, Pipeline, find_pass, passes};
use db::{Arguments, Source, Watch};
use diag::{Diag, codes, suggest};
use pass::{Recorder, Replay, Select, Target, Validated, parse_repro};
use toolchain::TargetCpu;

use crate::{
    Failure, files,
    locate::locate,
    session::{Opened, Session, Settings, is_ir, map, open, target, write_repro},
};

/// What to run and what to show.
#[derive(Clone, Debug, Default)]
pub struct PipelineOptions {
    /// An archive or an IR text.
    pub input: PathBuf,
    /// After which passes the program is shown: `all`, `changed`, or names.
    pub dump_after: Option<String>,
    /// Before which passes the program is shown.
    pub dump_before: Option<String>,
    /// The first phase to run.
    pub from: Option<String>,
    /// The last phase to run.
    pub to: Option<String>,
    /// The pass to stop after.
    pub until: Option<String>,
    /// Where texts are written instead of being shown.
    pub dump_dir: Option<PathBuf>,
    /// The passes, instead of the default ones.
    pub pipeline: Option<String>,
    /// The machine to compile for.
    pub target_cpu: TargetCpu,
    /// Whether to show how long each pass took.
    pub time: bool,
    /// Whether to verify after each pass.
    pub verify_each: bool,
    /// Whether to evaluate after each pass and compare.
    pub validate_each: bool,
    /// What inputs are made from, for that.
    pub seed: u64,
}

/// What a run shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The texts that were asked for, or the last one.
    pub text: String,
    /// The table of passes.
    pub table: String,
    /// What of it was not compared though it was asked for, for people.
    pub skipped: String,
    /// How it ended, if a pass failed: what was shown before helps to understand it.
    pub failure: Option<Failure>,
}

/// Runs passes over a program.
pub fn pipeline(options: &PipelineOptions) -> Result<Shown, Failure> {
    let file = Arc::new(map(&options.input)?);
    let Opened { source, weights: _, level } = open(&options.input, &file)?;
    let Plan { from, to, target, pipeline } = Plan::new(options, &source, level)?;
    let pipeline = pipeline.as_deref().map(|it| ("the pipeline", it));
    // What is read from text may start at any level, and only what it says is run.
    let first = if is_ir(&options.input) { from } else { Phase::Aten };
    let session =
        Session::new(source, (first, to), &Settings { target, pipeline, unchecked: false })?;
    let imported = db::import(&session.db, session.archive);
    if imported.failed() {
        return Err(session.check(Phase::Aten).err().unwrap_or_default());
    }
    let start = Instant::now();
    let clock = || start.elapsed();
    let select = |it: &Option<String>| it.as_deref().map_or(Select::Nothing, Select::parse);
    let mut recorder = Recorder::new(
        select(&options.dump_before),
        select(&options.dump_after),
        options.time.then_some(&clock as &dyn Fn() -> Duration),
    );
    let watch = Watch {
        from,
        to,
        until: options.until.clone(),
        verify_each: options.verify_each,
        validate_each: options
            .validate_each
            .then(|| Arguments { seed: options.seed, ..Arguments::default() }),
    };
    let mut last = Vec::new();
    let mut failure = Failure { sources: session.sources.clone(), ..Failure::default() };
    for function in &imported.functions {
        match db::observe(&session.db, *function, &watch, &mut recorder) {
            Ok(unit) => last.push(unit.print()),
            Err(found) => {
                let origins = function.origins(&session.db);
                for diag in found.diags {
                    failure.diags.push(locate(diag, origins, &mut failure.sources));
                }
                failure.repro = failure.repro.or_else(|| write_repro(&found.repro));
            }
        }
    }
    let mut shown = show(options, &recorder, &last)?;
    shown.failure = (!failure.diags.is_empty()).then_some(failure);
    Ok(shown)
}

/// What is run over what.
struct Plan {
    from: Phase,
    to: Phase,
    target: Target,
    pipeline: Option<String>,
}

impl Plan {
    /// What the options say, and where they do not, what a reproducer says in its first lines.
    fn new(options: &PipelineOptions, source: &Source, level: Phase) -> Result<Plan, Failure> {
        let replay = match source {
            Source::Module { name: _, text } => parse_repro(text)?,
            Source::Export(_) => Replay::default(),
        };
        let phase = |name: &Option<String>| name.as_deref().map(known_phase).transpose();
        let replayed = phase(&replay.phase)?;
        let names = [&options.dump_after, &options.dump_before, &options.until];
        names.into_iter().flatten().try_for_each(|it| known_passes(it))?;
        let pipeline = match (&options.pipeline, replayed, &replay.passes) {
            (Some(it), _, _) => Some(it.clone()),
            (None, Some(phase), Some(steps)) => {
                let mut pipeline = Pipeline::standard();
                pipeline.set_steps(phase, pass::parse_steps(steps, passes())?);
                Some(pipeline.to_string())
            }
            (None, _, _) => None,
        };
        Ok(Plan {
            from: phase(&options.from)?.or(replayed).unwrap_or(level),
            to: phase(&options.to)?.or(replayed).unwrap_or(Phase::Wrapper),
            target: match replayed {
                Some(_) => replay.target,
                None => target(&options.target_cpu),
            },
            pipeline,
        })
    }
}

fn show(
    options: &PipelineOptions,
    recorder: &Recorder<'_>,
    last: &[String],
) -> Result<Shown, Failure> {
    let mut res = Shown { table: table(recorder), skipped: skipped(recorder), ..Shown::default() };
    if let Some(folder) = &options.dump_dir {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            files::replace(&path, text.as_bytes()).map_err(|error| Failure::io(&path, &error))
        };
        std::fs::create_dir_all(folder).map_err(|error| Failure::io(folder, &error))?;
        for dump in &recorder.dumps {
            write(&dump.file_name, &dump.text)?;
        }
        write("last.ir", &last.join("\n"))?;
        return Ok(res);
    }
    let is_asked = options.dump_after.is_some() || options.dump_before.is_some();
    res.text = match is_asked {
        true => {
            let texts = recorder.dumps.iter();
            texts.map(|it| format!("// ---- {}\n{}", it.file_name, it.text)).collect()
        }
        false => last.join("\n"),
    };
    Ok(res)
}

fn skipped(recorder: &Recorder<'_>) -> String {
    let mut text = String::new();
    for it in &recorder.records {
        if let Validated::Skipped(why) = &it.validated {
            // Writing to a string does not fail.
            let _ = writeln!(text, "not compared: {} {}: {why}", it.phase, it.step);
        }
    }
    text
}

fn table(recorder: &Recorder<'_>) -> String {
    let mut text = String::new();
    for it in &recorder.records {
        let time =
            it.time.map_or(String::new(), |it| format!("{:9.3} ms  ", it.as_secs_f64() * 1e3));
        let changed = if it.changed { "changed" } else { "-" };
        let (before, after) = it.ops;
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{:8} {time}{changed:7}  {before:5} -> {after:5} ops  {}",
            it.phase, it.step
        );
        for (name, count) in &it.counts {
            let _ = write!(text, "  {name}: {count}");
        }
        text.push('\n');
    }
    text
}

fn known_phase(name: &str) -> Result<Phase, Diag> {
    let all = Phase::ALL.map(Phase::name);
    Phase::parse(name).ok_or_else(|| {
        let diag = Diag::error(&codes::PIPELINE, format!("no phase is called `{name}`"));
        match suggest(name, all) {
            Some(it) => diag.note(format!("did you mean `{it}`?")),
            None => diag.note(format!("there is: {}", all.join(", "))),
        }
    })
}

/// Checks names of passes, as `all`, `changed`, or names between commas.
fn known_passes(names: &str) -> Result<(), Diag> {
    if names == "all" || names == "changed" {
        return Ok(());
    }
    for name in names.split(',').map(str::trim) {
        if find_pass(name).is_none() {
            let diag = Diag::error(&codes::PIPELINE, format!("no pass is called `{name}`"));
            let known = passes().iter().map(|it| it.name);
            return Err(match suggest(name, known.clone()) {
                Some(it) => diag.note(format!("did you mean `{it}`?")),
                None => diag.note(format!("there is: {}", known.collect::<Vec<_>>().join(", "))),
            });
        }
    }
    Ok(())
}
