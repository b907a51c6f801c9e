//! From an archive to whatever is asked for.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::Phase;
use db::Source;
use diag::{Diag, codes};
use emit::HostInfo;
use ir::Function;
use pass::Unit;
use toolchain::{Cache, Compiler, Library, LinkOptions, TargetCpu, Toolchain};

use crate::{
    Failure, Sanitizer,
    constants::{Evaluator, Layout, boundary_type},
    files,
    session::{Opened, Session, Settings, map, open, target},
    sources, tree,
};

/// What compiling gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Emit {
    /// The program as the exporter wrote it, as IR text.
    Aten,
    /// The program as operators on tensors, as IR text.
    Tensor,
    /// The program as kernels, as IR text.
    Loops,
    /// The host program with its kernels, as IR text.
    Wrapper,
    /// A folder with all sources, the weights, and a CMakeLists.txt that builds them.
    Cpp,
    /// A model library.
    So,
    /// A package, which PyTorch loads.
    #[default]
    Package,
}

impl Emit {
    /// All of them, in the order of the road.
    pub const ALL: [Emit; 7] =
        [Emit::Aten, Emit::Tensor, Emit::Loops, Emit::Wrapper, Emit::Cpp, Emit::So, Emit::Package];

    /// Its name in `--emit`.
    pub fn name(self) -> &'static str {
        match self {
            Emit::Aten => "aten",
            Emit::Tensor => "tensor",
            Emit::Loops => "loops",
            Emit::Wrapper => "wrapper",
            Emit::Cpp => "cpp",
            Emit::So => "so",
            Emit::Package => "package",
        }
    }

    /// Whether it is IR text, which can also be shown.
    pub fn is_text(self) -> bool {
        matches!(self, Emit::Aten | Emit::Tensor | Emit::Loops | Emit::Wrapper)
    }
}

impl FromStr for Emit {
    type Err = Diag;

    fn from_str(name: &str) -> Result<Emit, Diag> {
        let found = Emit::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| {
            Diag::error(&codes::USAGE, format!("nothing called `{name}` is emitted"))
        })
    }
}

/// How to compile.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The archive; or IR text of a program without weights, in a file called `.ir`.
    pub input: PathBuf,
    /// What is written: a file, or for [`Emit::Cpp`] a folder. Not needed for texts.
    pub output: Option<PathBuf>,
    /// What is written.
    pub emit: Emit,
    /// The machine to compile for.
    pub target_cpu: TargetCpu,
    /// The passes to run, as text; the default ones without.
    pub pipeline: Option<String>,
    /// How many host compilers run at once; as many as there are processors without.
    pub jobs: Option<usize>,
    /// Whether compiled objects are kept for later.
    pub use_cache: bool,
    /// Whether the library takes inputs as they come, without checks.
    pub unchecked: bool,
    /// What the library watches for while it runs.
    pub sanitize: Vec<Sanitizer>,
}

impl CompileOptions {
    /// A package for this machine.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> CompileOptions {
        CompileOptions {
            input: input.into(),
            output: Some(output.into()),
            emit: Emit::default(),
            target_cpu: TargetCpu::default(),
            pipeline: None,
            jobs: None,
            use_cache: true,
            unchecked: false,
            sanitize: Vec::new(),
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Reading the archive.
    Read,
    /// Running passes.
    Lower,
    /// Printing C++.
    Print,
    /// Compiling it, while constants are computed.
    Build,
    /// Writing the result.
    Write,
}

impl Stage {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "reading",
            Stage::Lower => "lowering",
            Stage::Print => "printing",
            Stage::Build => "building",
            Stage::Write => "writing",
        }
    }
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// What was written; for texts that nobody asked to write, nothing.
    pub output: Option<PathBuf>,
    /// The text, where it was not written.
    pub text: Option<String>,
    /// Warnings.
    pub warnings: Vec<Diag>,
    /// How long each stage took, in order.
    pub times: Vec<(Stage, Duration)>,
    /// How many kernels there are.
    pub kernels: usize,
    /// How many files of C++ there are, and how many of them were in the cache.
    pub files: (usize, usize),
    /// Bytes of constants.
    pub constants: u64,
    /// The most bytes of intermediate tensors in use at once before and after statements were
    /// ordered, at sizes in the middle of their ranges; bodies of control flow apart. None if the
    /// program was not lowered so far.
    pub ordered_peaks: Option<(u64, u64)>,
}

/// Times stages and tells of them.
struct Clock<'a> {
    progress: &'a dyn Fn(Stage),
    times: Vec<(Stage, Duration)>,
    running: Option<(Stage, Instant)>,
}

impl Clock<'_> {
    fn start(&mut self, stage: Stage) {
        self.stop();
        self.running = Some((stage, Instant::now()));
        (self.progress)(stage);
    }

    fn stop(&mut self) {
        if let Some((stage, since)) = self.running.take() {
            self.times.push((stage, since.elapsed()));
        }
    }
}

/// Compiles an archive. `progress` is told of each stage as it begins.
///
/// A result appears complete or not at all. The archive must not change meanwhile: its weights are
/// used where they are.
pub fn compile(options: &CompileOptions, progress: &dyn Fn(Stage)) -> Result<Report, Failure> {
    let mut clock = Clock { progress, times: Vec::new(), running: None };
    clock.start(Stage::Read);
    let file = Arc::new(map(&options.input)?);
    let opened = open(&options.input, &file)?;
    // A compiler that is not there is said before any work.
    let toolchain = match options.emit {
        Emit::So | Emit::Package => Some(toolchain(options)?),
        _ => None,
    };

    clock.start(Stage::Lower);
    let settings = Settings {
        target: target(&options.target_cpu),
        pipeline: options.pipeline.as_deref().map(|it| ("the pipeline", it)),
        unchecked: options.unchecked,
    };
    let session =
        Session::new(opened.source.clone(), (opened.level, last_phase(options.emit)), &settings)?;
    let mut report = Report {
        output: options.output.clone(),
        text: None,
        warnings: session.check(last_phase(options.emit))?,
        times: Vec::new(),
        kernels: 0,
        files: (0, 0),
        constants: 0,
        ordered_peaks: None,
    };
    if options.emit.is_text() {
        let text = text(&session, options.emit);
        clock.start(Stage::Write);
        match &options.output {
            Some(path) => {
                files::replace(path, text.as_bytes()).map_err(|error| Failure::io(path, &error))?
            }
            None => report.text = Some(text),
        }
    } else {
        clock.start(Stage::Print);
        let output = options.output.as_deref().ok_or_else(|| {
            Failure::new(&codes::USAGE, format!("--emit {} needs an output", options.emit.name()))
        })?;
        let printed = Printed::new(&session, &options.input, &opened)?;
        (report.kernels, report.files.0) = (printed.kernels, printed.files.len());
        report.constants = printed.layout.size;
        report.ordered_peaks = ordered_peaks(&session);
        let evaluator = Evaluator::new(&file, &opened.weights, printed.units);
        match toolchain {
            Some(it) => {
                report.files.1 = printed.build(&mut clock, options, output, &it, evaluator)?
            }
            None => {
                clock.start(Stage::Write);
                let (name, sources) = (&printed.info.name, &printed.files[..]);
                let tree = tree::Tree { name, sources, cpu: &options.target_cpu };
                tree.write(output, &evaluator.blob(&printed.layout)?)?;
            }
        }
    }
    clock.stop();
    report.times = clock.times;
    Ok(report)
}

fn ordered_peaks(session: &Session) -> Option<(u64, u64)> {
    let counts = session.counts(Phase::Wrapper);
    let bytes =
        |what: &str| counts.iter().find(|it| it.0 == "order" && it.1 == what).map(|it| it.2);
    bytes("bytes at the peak before").zip(bytes("bytes at the peak after"))
}

/// Compiles a function to a library, as if it were the whole program of the archive that it is
/// from: `opened`, which lies in `file`.
pub(crate) fn compile_function(
    options: &CompileOptions,
    file: &Arc<import::Mapped>,
    opened: &Opened<'_>,
    function: &Function,
) -> Result<(), Failure> {
    let source =
        Source::Module { name: "main".to_owned(), text: ir::print_function(function).into() };
    let settings = Settings {
        target: target(&options.target_cpu),
        pipeline: None,
        unchecked: options.unchecked,
    };
    let session = Session::new(source, (Phase::Aten, Phase::Wrapper), &settings)?;
    session.check(Phase::Wrapper)?;
    let printed = Printed::new(&session, &options.input, opened)?;
    let mut clock = Clock { progress: &|_| (), times: Vec::new(), running: None };
    let evaluator = Evaluator::new(file, &opened.weights, printed.units);
    let output = options
        .output
        .as_deref()
        .ok_or_else(|| Failure::new(&codes::USAGE, "a library needs a place"))?;
    printed.build(&mut clock, options, output, &toolchain(options)?, evaluator)?;
    Ok(())
}

/// A program as C++.
struct Printed<'a> {
    /// The functions, and what computes their constants.
    units: &'a [Unit],
    main: &'a Function,
    layout: Layout,
    info: HostInfo,
    files: Vec<sources::Source>,
    kernels: usize,
}

impl<'a> Printed<'a> {
    fn new(session: &'a Session, path: &Path, opened: &Opened<'_>) -> Result<Printed<'a>, Failure> {
        let program = db::program(&session.db, session.archive);
        let kernels: Vec<&Function> = program.kernels.iter().map(|it| &**it).collect();
        // What is written in place shows once the program is functional, and not before.
        let functional = session.after(Phase::Aten);
        let functional = functional.first().and_then(|it| it.main());
        let ([_, bodies @ ..], Some(main), Some(functional)) =
            (&program.units[..], program.units.first().and_then(|it| it.main()), functional)
        else {
            return Err(Failure::new(&codes::UNSUPPORTED, "there is no program to print"));
        };
        let bodies: Vec<&Function> = bodies.iter().filter_map(|it| it.main()).collect();
        let layout = Layout::new(main, &bodies, functional, &opened.weights, &program.units)?;
        let specs = &db::import(&session.db, session.archive).specs;
        let specs = (specs.0.as_deref(), specs.1.as_deref());
        let specs = (specs.0.unwrap_or_default(), specs.1.unwrap_or_default());
        let info = sources::host_info(&model_name(path), functional, specs, &layout);
        let files = sources::print(&info, main, &bodies, &kernels);
        Ok(Printed { units: &program.units, main, layout, info, files, kernels: kernels.len() })
    }

    /// Builds a library or package; gives how many files were in the cache.
    fn build(
        &self,
        clock: &mut Clock<'_>,
        options: &CompileOptions,
        output: &Path,
        toolchain: &Toolchain,
        evaluator: Evaluator<'_>,
    ) -> Result<usize, Failure> {
        clock.start(Stage::Build);
        let cpu = &options.target_cpu;
        // What watches itself is compiled so, all of it.
        let flags = Sanitizer::flags(&options.sanitize);
        let (files, ready) = match flags.is_empty() {
            true => sources::split(&self.files),
            false => (self.files.clone(), Vec::new()),
        };
        let mut units = sources::units(&files, cpu);
        units.iter_mut().for_each(|it| it.flags.extend(flags.iter().cloned()));
        let link = sources::link_options(Sanitizer::link_flags(&options.sanitize));
        // The host compilers are processes: computing constants fits beside them.
        let (built, blob) = std::thread::scope(|scope| {
            let building = scope.spawn(|| build(toolchain, &units, ready, &link));
            let blob = evaluator.blob(&self.layout);
            let built = building.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (built, blob)
        });
        let (library, cached) = built?;
        let blob = blob?;
        clock.start(Stage::Write);
        if options.emit == Emit::So {
            package::write_library(output, &library.bytes, &blob)?;
            return Ok(cached);
        }
        let model = package::Model {
            blob,
            source: self.files.first().map_or("", |it| &it.text),
            signature: Some(signature(&self.info, self.main, cpu)),
            ..package::Model::new(&library.bytes)
        };
        package::write_package(output, &model)?;
        Ok(cached)
    }
}

fn toolchain(options: &CompileOptions) -> Result<Toolchain, Failure> {
    let cache = if options.use_cache { Cache::from_env() } else { None };
    let toolchain = Toolchain::new(Compiler::find()?, cache);
    Ok(match options.jobs {
        Some(jobs) => toolchain.with_jobs(jobs),
        None => toolchain,
    })
}

/// Compiles `units` and links them with the objects that are `ready`.
fn build(
    toolchain: &Toolchain,
    units: &[toolchain::Unit],
    ready: Vec<toolchain::Object>,
    link: &LinkOptions,
) -> Result<(Library, usize), Failure> {
    let mut objects = toolchain.compile(units)?;
    objects.extend(ready);
    let cached = objects.iter().filter(|it| it.cached).count();
    Ok((toolchain.link(&objects, link)?, cached))
}

/// The last phase that an output needs.
fn last_phase(emit: Emit) -> Phase {
    match emit {
        Emit::Aten => Phase::Aten,
        Emit::Tensor => Phase::Tensor,
        Emit::Loops => Phase::Loops,
        Emit::Wrapper | Emit::Cpp | Emit::So | Emit::Package => Phase::Wrapper,
    }
}

fn text(session: &Session, emit: Emit) -> String {
    let units = |phase| {
        let units = session.after(phase);
        units.iter().map(|it| it.print()).collect::<Vec<_>>().join("\n")
    };
    match emit {
        Emit::Tensor => units(Phase::Tensor),
        Emit::Loops => units(Phase::Loops),
        Emit::Wrapper => units(Phase::Wrapper),
        _ => {
            let functions = session.imported().into_iter().map(ir::print_function);
            functions.collect::<Vec<_>>().join("\n")
        }
    }
}

/// What a model is called: after its file, not where that lies.
fn model_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "model".to_owned(), |it| it.to_string_lossy().into_owned())
}

/// What the package says of the model to those who do not load it.
fn signature(info: &HostInfo, main: &Function, cpu: &TargetCpu) -> package::Signature {
    let tensors = |entries: &[emit::IoEntry]| {
        let tensor = |it: &emit::IoEntry| {
            let ty = boundary_type(&ir::Type::Tensor(it.ty.clone()));
            let dtype = crate::values::runtime_dtype(ty.dtype).map_or("unknown", |it| it.name());
            package::TensorInfo {
                name: it.name.clone(),
                dtype: dtype.to_owned(),
                dims: ty.shape.iter().map(ToString::to_string).collect(),
            }
        };
        entries.iter().map(tensor).collect()
    };
    let symbol = |name: std::sync::Arc<str>| {
        let sym::Range { lo, hi } = main.facts.range_of_sym(&name);
        package::Symbol { name: name.to_string(), min: lo, max: (hi != i64::MAX).then_some(hi) }
    };
    package::Signature {
        producer: format!("tintype {}", env!("CARGO_PKG_VERSION")),
        target_cpu: cpu.to_string(),
        symbols: wrapper_passes::report::model_symbols(main).into_iter().map(symbol).collect(),
        inputs: tensors(&info.inputs),
        outputs: tensors(&info.outputs),
    }
}
