//! Finds and runs the host compiler; target CPUs; the object cache.
//!
//! A model library is a handful of C++ units, each compiled by itself, in
//! parallel, and cached by content: the key is the hash of everything that
//! decides the object (source, headers, flags, compiler), so twelve equal
//! layers compile once, and an edit recompiles only what it changed.
//!
//! **Invariants.** Knows nothing of the IR, nor of what the C++ means.
//! The same units give the same bytes, whatever folder, user or order they are
//! built in: a compiler runs in a folder of its own, sees relative paths only,
//! and fixed file names.

mod cache;
mod compiler;
mod cpu;
mod error;
mod hash;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use cache::Cache;
pub use compiler::{Compiler, Family};
pub use cpu::{ParseTargetCpuError, TargetCpu};
pub use error::Error;
pub use hash::Digest;

use hash::Hasher;

/// A header, as units include it: by this name.
#[derive(Clone, Debug)]
pub struct Header {
    /// A relative path without `..`.
    pub name: String,
    /// The text.
    pub text: Arc<[u8]>,
}

impl Header {
    /// A header from its name and text.
    pub fn new(name: impl Into<String>, text: impl AsRef<[u8]>) -> Header {
        Header { name: name.into(), text: text.as_ref().into() }
    }
}

/// A translation unit.
#[derive(Clone, Debug)]
pub struct Unit {
    /// For error messages; it does not go into the object nor into its cache key.
    pub name: String,
    /// C++.
    pub source: Vec<u8>,
    /// What the unit may include, and nothing else but the system's headers.
    pub headers: Arc<[Header]>,
    /// Flags beside those every unit gets (see [`Compiler::base_flags`]).
    pub flags: Vec<String>,
}

/// A compiled unit.
#[derive(Clone)]
pub struct Object {
    /// The name of the unit.
    pub name: String,
    /// The object file.
    pub bytes: Arc<[u8]>,
    /// Of `bytes`.
    pub digest: Digest,
    /// Whether it came out of the cache.
    pub cached: bool,
}

impl Object {
    /// An object that was compiled before.
    pub fn compiled(name: impl Into<String>, bytes: &[u8]) -> Object {
        Object { name: name.into(), bytes: bytes.into(), digest: Digest::of(bytes), cached: true }
    }
}

/// How to link.
#[derive(Clone, Debug, Default)]
pub struct LinkOptions {
    /// A linker version script: what the library exports. Everything, without one.
    pub exports: Option<String>,
    /// Keep the symbols of local functions, for profilers.
    pub keep_symbols: bool,
    /// More flags for the linking compiler.
    pub flags: Vec<String>,
}

/// A linked shared library.
#[derive(Clone)]
pub struct Library {
    /// The ELF file.
    pub bytes: Arc<[u8]>,
    /// Of `bytes`.
    pub digest: Digest,
    /// Whether it came out of the cache.
    pub cached: bool,
}

// By digest: nobody wants to read a binary.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}, {}, cached: {})", self.name, self.digest, self.cached)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({}, cached: {})", self.digest, self.cached)
    }
}

/// A compiler with a cache in front of it.
#[derive(Debug)]
pub struct Toolchain {
    compiler: Compiler,
    cache: Option<Cache>,
    jobs: usize,
}

impl Toolchain {
    /// The host's compiler ([`Compiler::find`]) with the user's cache ([`Cache::from_env`]).
    pub fn from_env() -> Result<Toolchain, Error> {
        Ok(Toolchain::new(Compiler::find()?, Cache::from_env()))
    }

    /// A compiler, with or without a cache. Runs as many jobs at once as there are CPUs.
    pub fn new(compiler: Compiler, cache: Option<Cache>) -> Toolchain {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Toolchain { compiler, cache, jobs }
    }

    /// Bounds how many compilers run at once.
    #[must_use]
    pub fn with_jobs(self, jobs: usize) -> Toolchain {
        Toolchain { jobs: jobs.max(1), ..self }
    }

    /// The compiler.
    pub fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// Compiles each unit; the objects come in the order of the units.
    ///
    /// After a failure no further compiler is started, and the error is that of
    /// the first failed unit in order.
    pub fn compile(&self, units: &[Unit]) -> Result<Vec<Object>, Error> {
        let next = AtomicUsize::new(0);
        let failed = AtomicUsize::new(usize::MAX);
        let work = || {
            let mut done = Vec::new();
            while failed.load(Ordering::Relaxed) == usize::MAX {
                let idx = next.fetch_add(1, Ordering::Relaxed);
                let Some(unit) = units.get(idx) else { break };
                let res = self.compile_unit(unit);
                if res.is_err() {
                    failed.fetch_min(idx, Ordering::Relaxed);
                }
                done.push((idx, res));
            }
            done
        };
        let mut done = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (1..self.jobs.min(units.len())).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for thread in threads {
                match thread.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_by_key(|&(idx, _)| idx);
        let objects = done.into_iter().map(|(_, res)| res).collect();
        self.sweep_cache();
        objects
    }

    /// Links objects, in their order, to a shared library.
    pub fn link(&self, objects: &[Object], options: &LinkOptions) -> Result<Library, Error> {
        let flags = self.compiler.link_flags(options);
        let mut hasher = Hasher::new("link");
        hasher.add(self.compiler.identity());
        hasher.add_all(&flags);
        hasher.add(options.exports.as_deref().unwrap_or_default());
        for object in objects {
            hasher.add(object.digest.as_bytes());
        }
        let key = hasher.finish();
        let (bytes, cached) = self.cached(key, || {
            let dir = Workspace::new()?;
            let mut names = Vec::with_capacity(objects.len());
            for (idx, object) in objects.iter().enumerate() {
                let name = format!("{idx:05}.o");
                dir.write(&name, &object.bytes)?;
                names.push(name);
            }
            if let Some(exports) = &options.exports {
                dir.write(compiler::EXPORTS_FILE, exports.as_bytes())?;
            }
            self.compiler.link(dir.path(), &names, &flags)?;
            dir.read(compiler::LIBRARY_FILE)
        })?;
        self.sweep_cache();
        Ok(Library { digest: Digest::of(&bytes), bytes, cached })
    }

    /// [`Toolchain::compile`], then [`Toolchain::link`].
    pub fn build(&self, units: &[Unit], options: &LinkOptions) -> Result<Library, Error> {
        self.link(&self.compile(units)?, options)
    }

    fn compile_unit(&self, unit: &Unit) -> Result<Object, Error> {
        let Unit { name, source, headers, flags } = unit;
        let mut hasher = Hasher::new("compile");
        hasher.add(self.compiler.identity());
        hasher.add_all(&self.compiler.base_flags());
        hasher.add_all(flags);
        if flags.iter().any(|it| it.ends_with("=native")) {
            // What "native" is depends on the machine, and caches can be shared.
            hasher.add(cpu::host_identity());
        }
        hasher.add(source);
        for header in headers.iter() {
            hasher.add(&header.name);
            hasher.add(&header.text);
        }
        let (bytes, cached) = self.cached(hasher.finish(), || {
            let dir = Workspace::new()?;
            for header in headers.iter() {
                dir.write(&header.name, &header.text)?;
            }
            dir.write(compiler::SOURCE_FILE, source)?;
            self.compiler.compile(dir.path(), name, flags)?;
            dir.read(compiler::OBJECT_FILE)
        })?;
        Ok(Object { name: name.clone(), digest: Digest::of(&bytes), bytes, cached })
    }

    /// The file under `key`, made if it is not in the cache; and whether it was.
    fn cached(
        &self,
        key: Digest,
        make: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Result<(Arc<[u8]>, bool), Error> {
        if let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.get(key)) {
            return Ok((bytes.into(), true));
        }
        let bytes = make()?;
        if let Some(cache) = &self.cache {
            cache.put(key, &bytes);
        }
        Ok((bytes.into(), false))
    }

    fn sweep_cache(&self) {
        if let Some(cache) = &self.cache {
            cache.sweep_sometimes();
        }
    }
}

/// A temporary folder that a compiler runs in.
struct Workspace(tempfile::TempDir);

impl Workspace {
    fn new() -> Result<Workspace, Error> {
        let dir = tempfile::Builder::new()
            .prefix("tintype-")
            .tempdir()
            .map_err(|source| Error::Workspace { path: std::env::temp_dir(), source })?;
        Ok(Workspace(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let relative = Path::new(name);
        if !relative.components().all(|it| matches!(it, std::path::Component::Normal(_))) {
            return Err(Error::HeaderName { name: name.to_string() });
        }
        let path = self.path().join(relative);
        let write = || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, bytes)
        };
        write().map_err(|source| Error::Workspace { path: path.clone(), source })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path().join(name);
        std::fs::read(&path).map_err(|source| Error::Workspace { path, source })
    }
}
