//! A loaded model library: its file, its entry points, its table.
#![expect(unsafe_code, reason = "loads code and calls C functions")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libloading::os::unix::{Library as Dl, RTLD_LOCAL, RTLD_NOW, Symbol};
use memmap2::Mmap;
use package::Package;

use crate::model::{Symbol as SizeSymbol, TensorInfo};
use crate::shim::{self, Handle};
use crate::storage::{ALIGNMENT, Storage};
use crate::{DType, Error, elf};

/// The version of `tt_model` that is read here.
const MODEL_ABI: u32 = 2;

/// An opaque container of the library.
#[repr(C)]
pub(crate) struct Container {
    _private: [u8; 0],
}

pub(crate) type Code = i32;

type CreateFn =
    unsafe extern "C" fn(*mut *mut Container, usize, *const c_char, *const c_char) -> Code;
type DeleteFn = unsafe extern "C" fn(*mut Container) -> Code;
type RunFn = unsafe extern "C" fn(
    *mut Container,
    *mut Handle,
    usize,
    *mut Handle,
    usize,
    *mut c_void,
    *mut c_void,
) -> Code;
type BlobSizeFn = unsafe extern "C" fn(*mut Container, *mut u64) -> Code;
type LoadedFn = unsafe extern "C" fn(*mut Container, *mut bool) -> Code;
type BlobFn = unsafe extern "C" fn(*mut Container, *const u8) -> Code;
/// A constant, by its name in the model.
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) name: *const c_char,
    pub(crate) handle: Handle,
}

type ExtractFn = unsafe extern "C" fn(*mut Container, *mut *const Entry, *mut usize, bool) -> Code;
type LastErrorFn = unsafe extern "C" fn(*mut *const c_char) -> Code;
type SetShimFn = unsafe extern "C" fn(Option<LookupFn>);
type LookupFn = unsafe extern "C" fn(*const c_char) -> *mut c_void;
type GetModelFn = unsafe extern "C" fn() -> *const ModelTable;
type SetThreadsFn = unsafe extern "C" fn(c_int);

/// The functions of a library that are called here.
#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) create: Symbol<CreateFn>,
    pub(crate) delete: Symbol<DeleteFn>,
    pub(crate) run: Symbol<RunFn>,
    pub(crate) blob_size: Symbol<BlobSizeFn>,
    pub(crate) is_loaded: Symbol<LoadedFn>,
    pub(crate) use_blob: Symbol<BlobFn>,
    pub(crate) extract: Symbol<ExtractFn>,
    last_error: Symbol<LastErrorFn>,
    /// Of OpenMP, which the library is linked with.
    pub(crate) set_threads: Option<Symbol<SetThreadsFn>>,
}

/// A loaded library. Dropped last: everything else of a model points into it.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) entries: Entries,
    pub(crate) inputs: Vec<TensorInfo>,
    pub(crate) outputs: Vec<TensorInfo>,
    pub(crate) symbols: Vec<SizeSymbol>,
    /// The names of the constants that the model writes.
    pub(crate) states: Vec<String>,
    /// The constants, where they are not found by the library itself.
    pub(crate) blob: Option<BlobMemory>,
    // The order matters: code goes before the file it was mapped from.
    _dl: Dl,
    _file: Option<LoadedFile>,
}

/// Memory that holds a model's constants, aligned as models need it.
#[derive(Debug)]
pub(crate) enum BlobMemory {
    /// Pages of the package's file.
    Mapped(Mmap),
    /// A copy, where the package has them at an odd place.
    Copied(Storage),
}

impl BlobMemory {
    pub(crate) fn data(&self) -> *const u8 {
        match self {
            BlobMemory::Mapped(map) => map.as_ptr(),
            BlobMemory::Copied(storage) => storage.data().as_ptr(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            BlobMemory::Mapped(map) => map.len(),
            BlobMemory::Copied(storage) => storage.len(),
        }
    }
}

/// What the ELF file of a package was put into for the system's loader.
#[derive(Debug)]
enum LoadedFile {
    /// Nameless memory. The descriptor stays open as long as the library is
    /// loaded: its path is what the loader knows the library by, so its number
    /// must not be given to another one meanwhile.
    Memory(#[expect(dead_code, reason = "held open")] OwnedFd),
    /// A temporary file, for systems without such memory.
    Temporary(#[expect(dead_code, reason = "held to be removed")] tempfile::TempPath),
}

impl Library {
    /// A library file, its constants behind it or beside it.
    pub(crate) fn open(path: &Path) -> Result<Library, Error> {
        let bad = |reason: String| Error::Load { path: path.to_path_buf(), reason };
        let path = std::path::absolute(path).map_err(|error| bad(error.to_string()))?;
        let file = File::open(&path).map_err(|error| bad(error.to_string()))?;
        // SAFETY: the file is looked at and unmapped again; if it is cut short
        // within that time, the process would have died of it in the loader too.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| bad(error.to_string()))?;
        elf::check_library(&map).map_err(&bad)?;
        drop(map);
        Library::load(&path, &path, None, None)
    }

    /// The library of a package's model.
    pub(crate) fn open_packaged(package: &mut Package, model: &str) -> Result<Library, Error> {
        let library = package.library(model)?;
        let path = package.path().to_path_buf();
        let bad = |reason: String| Error::Load { path: path.clone(), reason };
        let map = |offset: u64, len: u64| {
            let len = usize::try_from(len).map_err(|it| bad(it.to_string()))?;
            // SAFETY: the range lies within the file (the package checked that).
            // A file that is cut short while it is mapped kills its readers; that
            // is so of every mapped file, and packages are replaced, not rewritten.
            unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(package.file()) }
                .map_err(|error| bad(error.to_string()))
        };
        let elf = map(library.offset, library.parts.elf_size)?;
        elf::check_library(&elf).map_err(&bad)?;
        let blob = match library.parts.blob {
            None => None,
            Some((offset, size)) => {
                let start = library.offset + offset;
                let mapped = map(start, size)?;
                let is_aligned = mapped.as_ptr().addr().is_multiple_of(ALIGNMENT);
                Some(if is_aligned {
                    BlobMemory::Mapped(mapped)
                } else {
                    BlobMemory::Copied(copied(&mapped).ok_or_else(|| bad("out of memory".into()))?)
                })
            }
        };
        let (file, loaded) =
            put_into_file(&elf).map_err(|error| bad(format!("cannot be unpacked: {error}")))?;
        drop(elf);
        Library::load(&path, &file, Some(loaded), blob)
    }

    /// Loads `file`, which is `path` in messages.
    fn load(
        path: &Path,
        file: &Path,
        loaded: Option<LoadedFile>,
        blob: Option<BlobMemory>,
    ) -> Result<Library, Error> {
        let bad = |reason: String| Error::Load { path: path.to_path_buf(), reason };
        // SAFETY: runs the library's initialisers: the caller trusts it, as this crate's
        // documentation says.
        let dl = unsafe { Dl::open(Some(file), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| bad(format!("cannot be loaded: {error}")))?;
        let missing = |name: &str| {
            bad(format!("is a library, but not a model of Tintype's: it has no '{name}'"))
        };
        macro_rules! entry {
            ($name:literal) => {
                // SAFETY: these names have these types in every library of Tintype's.
                unsafe { dl.get(concat!($name, "\0").as_bytes()) }.map_err(|_| missing($name))?
            };
        }
        let get_model: Symbol<GetModelFn> = entry!("tintype_get_model");
        let set_shim: Symbol<SetShimFn> = entry!("tintype_set_shim");
        let entries = Entries {
            create: entry!("AOTInductorModelContainerCreateWithDevice"),
            delete: entry!("AOTInductorModelContainerDelete"),
            run: entry!("AOTInductorModelContainerRun"),
            blob_size: entry!("AOTInductorModelContainerGetConstantsBlobSize"),
            is_loaded: entry!("AOTInductorModelContainerDidCallLoadConstants"),
            use_blob: entry!("AOTInductorModelUpdateConstantsFromBlob"),
            extract: entry!("AOTInductorModelContainerExtractConstantsMapEntries"),
            last_error: entry!("AOTInductorGetLastError"),
            // SAFETY: OpenMP's function of this name has this type.
            set_threads: unsafe { dl.get(b"omp_set_num_threads\0") }.ok(),
        };
        // SAFETY: the table is a constant of the library, of the layout its first number says.
        let table = unsafe { get_model().as_ref() }.ok_or_else(|| missing("tt_model_info"))?;
        if table.abi != MODEL_ABI || table.struct_size as usize != size_of::<ModelTable>() {
            return Err(bad(format!(
                "was built for version {} of the runtime's interface, this is version {MODEL_ABI}",
                table.abi
            )));
        }
        // SAFETY: `lookup` is a function of this program, which outlives the library.
        unsafe { set_shim(Some(shim::lookup)) };
        // SAFETY: the table's pointers and counts go together: the compiler wrote them.
        let (inputs, outputs, symbols, states) = unsafe {
            (
                tensor_infos(table.inputs, table.num_inputs),
                tensor_infos(table.outputs, table.num_outputs),
                size_symbols(table),
                states(table),
            )
        };
        Ok(Library { entries, inputs, outputs, symbols, states, blob, _dl: dl, _file: loaded })
    }

    /// The text of this thread's last failed call.
    pub(crate) fn last_error(&self) -> String {
        let mut text = std::ptr::null();
        // SAFETY: writes the pointer of a string that lives until this thread's next call.
        let code = unsafe { (self.entries.last_error)(&mut text) };
        if code != 0 || text.is_null() {
            return "the model failed without a message".to_string();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

fn copied(bytes: &[u8]) -> Option<Storage> {
    let storage = Storage::zeroed(bytes.len())?;
    // SAFETY: new memory of this length.
    unsafe { storage.data().copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    Some(storage)
}

/// Puts an ELF file where the loader can get it.
fn put_into_file(elf: &[u8]) -> io::Result<(PathBuf, LoadedFile)> {
    memory_file(elf).or_else(|_| {
        let mut file = tempfile::Builder::new().prefix("tintype-").suffix(".so").tempfile()?;
        file.write_all(elf)?;
        let path = file.into_temp_path();
        Ok((path.to_path_buf(), LoadedFile::Temporary(path)))
    })
}

fn memory_file(elf: &[u8]) -> io::Result<(PathBuf, LoadedFile)> {
    // SAFETY: a C string, and flags.
    let fd = unsafe { libc::memfd_create(c"tintype-model".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    let mut file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(elf)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // A system may have no /proc, or forbid running code from such memory.
    std::fs::metadata(&path)?;
    Ok((path, LoadedFile::Memory(file.into())))
}

/// `tt_io_info`.
#[repr(C)]
struct IoInfo {
    name: *const c_char,
    dtype: i32,
    ndim: i32,
    dims: *const *const c_char,
    flags: u32,
}

/// The bit of `IoInfo::flags` that says the model writes this input.
const WRITTEN: u32 = 1;

/// `tt_symbol_info`.
#[repr(C)]
struct SymbolInfo {
    name: *const c_char,
    min: i64,
    max: i64,
}

/// `tt_constant_info`.
#[repr(C)]
struct ConstantInfo {
    name: *const c_char,
    fqn: *const c_char,
    dtype: i32,
    kind: i32,
    flags: u32,
    ndim: i32,
    sizes: *const i64,
    strides: *const i64,
    storage_offset: i64,
    offset: i64,
    data_size: u64,
}

/// The bit of `ConstantInfo::flags` that says the model writes this constant.
const STATE: u32 = 1;

/// `tt_model`.
#[repr(C)]
struct ModelTable {
    abi: u32,
    struct_size: u32,
    cpu_required: u32,
    num_inputs: u32,
    num_outputs: u32,
    num_symbols: u32,
    num_constants: u32,
    num_packed: u32,
    num_externs: u32,
    reserved: u32,
    name: *const c_char,
    inputs: *const IoInfo,
    outputs: *const IoInfo,
    symbols: *const SymbolInfo,
    constants: *const ConstantInfo,
    externs: *const *const c_char,
    in_spec: *const c_char,
    out_spec: *const c_char,
    blob_size: u64,
    run: *const c_void,
    fold: *const c_void,
}

/// # Safety
///
/// A C string, or null.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// # Safety
///
/// `len` values, or null.
unsafe fn table<'a, T>(data: *const T, len: u32) -> &'a [T] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, len as usize) }
}

/// # Safety
///
/// A table of the library's.
unsafe fn tensor_infos(infos: *const IoInfo, count: u32) -> Vec<TensorInfo> {
    // SAFETY: the caller's promise, here and below.
    let infos = unsafe { table(infos, count) }.iter();
    let info = |it: &IoInfo| TensorInfo {
        name: unsafe { text(it.name) },
        dtype: DType::from_number(it.dtype),
        dims: unsafe { table(it.dims, it.ndim.max(0) as u32) }
            .iter()
            .map(|&dim| unsafe { text(dim) })
            .collect(),
        is_written: it.flags & WRITTEN != 0,
    };
    infos.map(info).collect()
}

/// # Safety
///
/// A table of the library's.
unsafe fn size_symbols(model: &ModelTable) -> Vec<SizeSymbol> {
    // SAFETY: the caller's promise, here and below.
    let infos = unsafe { table(model.symbols, model.num_symbols) }.iter();
    let symbol = |it: &SymbolInfo| SizeSymbol {
        name: unsafe { text(it.name) },
        min: it.min,
        max: (it.max != i64::MAX).then_some(it.max),
    };
    infos.map(symbol).collect()
}

/// # Safety
///
/// A table of the library's.
unsafe fn states(model: &ModelTable) -> Vec<String> {
    // SAFETY: the caller's promise, here and below.
    let infos = unsafe { table(model.constants, model.num_constants) }.iter();
    infos.filter(|it| it.flags & STATE != 0).map(|it| unsafe { text(it.fqn) }).collect()
}
