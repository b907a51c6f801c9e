//! The host compiler: finding it, asking what it is, running it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::hash::{Digest, Hasher};
use crate::{Error, LinkOptions};

/// The names a compiler sees, the same for every unit: they can end up in objects.
pub(crate) const SOURCE_FILE: &str = "unit.cpp";
pub(crate) const OBJECT_FILE: &str = "unit.o";
pub(crate) const LIBRARY_FILE: &str = "library.so";
pub(crate) const EXPORTS_FILE: &str = "exports.map";

/// How much of a failed compiler's output an error carries.
const MAX_OUTPUT_LINES: usize = 40;
const MAX_OUTPUT_BYTES: usize = 6000;

/// Whose compiler it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// GNU.
    Gcc,
    /// LLVM.
    Clang,
    /// Something that takes the same flags, we hope.
    Other,
}

/// A C++ compiler that works.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: String,
    /// What the user put after the program in CXX.
    args: Vec<String>,
    family: Family,
    version: String,
    identity: Digest,
}

impl Compiler {
    /// The compiler named in `CXX`, if that is set; else g++, clang++ or c++, the first that works.
    pub fn find() -> Result<Compiler, Error> {
        let named = std::env::var("CXX").unwrap_or_default();
        let mut words = named.split_whitespace().map(str::to_string);
        if let Some(program) = words.next() {
            return Compiler::probe(program, words.collect());
        }
        let candidates = ["g++", "clang++", "c++"];
        for program in candidates {
            if let Ok(compiler) = Compiler::probe(program.to_string(), Vec::new()) {
                return Ok(compiler);
            }
        }
        Err(Error::NoCompiler { tried: candidates.map(str::to_string).to_vec() })
    }

    /// A given program, with arguments that come before all others.
    pub fn probe(program: String, args: Vec<String>) -> Result<Compiler, Error> {
        let bad = |reason: String| Error::BadCompiler { program: program.clone(), reason };
        let ask = |flag: &str| {
            let output = command(&program, &args)
                .arg(flag)
                .output()
                .map_err(|error| bad(error.to_string()))?;
            if !output.status.success() {
                return Err(bad(excerpt(&output)));
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let full = ask("--version")?;
        let machine = ask("-dumpmachine")?;
        let family = if full.contains("clang") {
            Family::Clang
        } else if full.contains("Free Software Foundation") {
            Family::Gcc
        } else {
            Family::Other
        };
        let mut hasher = Hasher::new("compiler");
        hasher.add(&full);
        hasher.add(&machine);
        hasher.add_all(&args);
        let identity = hasher.finish();
        let version = full.lines().next().unwrap_or_default().to_string();
        Ok(Compiler { program, args, family, version, identity })
    }

    /// The program, as it is run.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The first line of what `--version` prints.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whose it is.
    pub fn family(&self) -> Family {
        self.family
    }

    pub(crate) fn identity(&self) -> &[u8] {
        self.identity.as_bytes()
    }

    /// The flags every unit gets.
    ///
    /// No contraction of a multiplication and an addition unless a kernel asks
    /// for it: the compiler's freedom to do so differs between machines.
    pub fn base_flags(&self) -> Vec<&'static str> {
        let mut flags = vec![
            "-std=c++17",
            "-c",
            "-pipe",
            "-fPIC",
            "-fvisibility=hidden",
            "-fopenmp",
            "-ffp-contract=off",
            "-fno-math-errno",
            "-fno-semantic-interposition",
            // One section per function, of which the linker keeps what is used.
            "-ffunction-sections",
            "-fdata-sections",
            "-I.",
        ];
        if self.family != Family::Other {
            flags.push("-fno-ident");
        }
        if self.family == Family::Gcc {
            // The elimination of redundant loads between blocks takes as long again as all the
            // rest on long kernels (`grid_sampler_2d`: 87 s with it, 56 s without), and no
            // model of the corpus is faster for it.
            flags.extend(["-fno-gcse", "-fno-gcse-after-reload"]);
        }
        flags
    }

    pub(crate) fn link_flags(&self, options: &LinkOptions) -> Vec<String> {
        let mut flags: Vec<String> = [
            "-shared",
            "-fopenmp",
            "-Wl,--as-needed",
            "-Wl,--gc-sections",
            "-Wl,--build-id=none",
            "-Wl,--hash-style=gnu",
            "-Wl,-z,now",
            "-Wl,-z,relro",
            "-Wl,-z,noexecstack",
            // What is missing shows here, not when the library is loaded.
            "-Wl,-z,defs",
        ]
        .map(str::to_string)
        .to_vec();
        if !options.keep_symbols {
            flags.push("-s".to_string());
        }
        if options.exports.is_some() {
            flags.push(format!("-Wl,--version-script={EXPORTS_FILE}"));
        }
        flags.extend(options.flags.iter().cloned());
        flags
    }

    pub(crate) fn compile(&self, dir: &Path, unit: &str, flags: &[String]) -> Result<(), Error> {
        let mut command = command(&self.program, &self.args);
        command.current_dir(dir).args(self.base_flags()).args(flags);
        command.arg(prefix_map(dir)).args([SOURCE_FILE, "-o", OBJECT_FILE]);
        self.run(command, unit)
    }

    pub(crate) fn link(
        &self,
        dir: &Path,
        objects: &[String],
        flags: &[String],
    ) -> Result<(), Error> {
        let mut command = command(&self.program, &self.args);
        command.current_dir(dir).args(objects).args(flags).args(["-o", LIBRARY_FILE]);
        self.run(command, "the library")
    }

    fn run(&self, mut command: Command, unit: &str) -> Result<(), Error> {
        let output = command.output().map_err(|error| Error::BadCompiler {
            program: self.program.clone(),
            reason: error.to_string(),
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Compile {
            unit: unit.to_string(),
            compiler: self.program.clone(),
            status: output.status.to_string(),
            output: excerpt(&output),
        })
    }
}

/// Even where a path of the folder gets into an object, it reads the same.
fn prefix_map(dir: &Path) -> String {
    format!("-ffile-prefix-map={}=.", dir.display())
}

fn command(program: impl AsRef<OsStr>, args: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    // Messages that can be read, and no headers or side files of the user's.
    command.env("LC_ALL", "C");
    command.env("SOURCE_DATE_EPOCH", "0");
    for name in [
        "CPATH",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "DEPENDENCIES_OUTPUT",
        "SUNPRO_DEPENDENCIES",
        "GCC_COMPARE_DEBUG",
    ] {
        command.env_remove(name);
    }
    command
}

/// The beginning of what a program printed on stderr, or else on stdout.
fn excerpt(output: &Output) -> String {
    let printed = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(&printed[..printed.len().min(4 * MAX_OUTPUT_BYTES)]);
    let mut res = String::new();
    for (n_lines, line) in text.lines().enumerate() {
        if MAX_OUTPUT_LINES <= n_lines || MAX_OUTPUT_BYTES < res.len() + line.len() {
            res.push_str("...\n");
            break;
        }
        res.push_str(line);
        res.push('\n');
    }
    res.truncate(res.trim_end().len());
    res
}
