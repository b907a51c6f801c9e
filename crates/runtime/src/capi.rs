//! The C interface: `include/tintype.h` says what each function does.
#![expect(unsafe_code, reason = "C functions on pointers")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{self, NonNull};

use crate::{DType, LoadOptions, Model, Tensor, TensorInfo};

/// `tintype_model`: a model, and the texts that C asks for.
pub(crate) struct CModel {
    model: Model,
    inputs: Vec<CInfo>,
    outputs: Vec<CInfo>,
}

struct CInfo {
    name: CString,
    dtype: i32,
    dims: Vec<CString>,
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// A C string; what follows a NUL in a Rust one is lost.
fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

fn fail(message: &str) {
    // A thread that is ending has no place for it any more.
    let _ = LAST_ERROR.try_with(|it| *it.borrow_mut() = c_string(message));
}

/// The value, or null with the error kept for `tintype_last_error`.
fn boxed<T>(res: Result<T, String>) -> *mut T {
    match res {
        Ok(value) => Box::into_raw(Box::new(value)),
        Err(message) => {
            fail(&message);
            ptr::null_mut()
        }
    }
}

/// # Safety
///
/// `len` values, or null for none.
unsafe fn slice<'a, T>(data: *const T, len: usize) -> Result<&'a [T], String> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err("a pointer is null".to_string()),
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}

/// # Safety
///
/// `ndim` sizes or strides, or null for none.
unsafe fn dims(data: *const i64, ndim: usize) -> Result<Vec<usize>, String> {
    // SAFETY: the caller's promise.
    let dims = unsafe { slice(data, ndim)? };
    let dims = dims.iter().map(|&it| usize::try_from(it));
    dims.collect::<Result<_, _>>().map_err(|_| "a size or a stride is negative".to_string())
}

fn dtype(number: i32) -> Result<DType, String> {
    DType::from_number(number).ok_or_else(|| format!("dtype number {number} is not known"))
}

#[unsafe(no_mangle)]
extern "C" fn tintype_last_error() -> *const c_char {
    LAST_ERROR.try_with(|it| it.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

#[unsafe(no_mangle)]
extern "C" fn tintype_dtype_size(number: i32) -> usize {
    DType::from_number(number).map_or(0, DType::size)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_model_load(path: *const c_char) -> *mut CModel {
    // SAFETY: as promised to this function.
    unsafe { tintype_model_load_with(path, ptr::null(), 0, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_model_load_with(
    path: *const c_char,
    name: *const c_char,
    concurrency: usize,
    num_threads: usize,
) -> *mut CModel {
    if path.is_null() {
        return boxed(Err("the path is null".to_string()));
    }
    // SAFETY: C strings.
    let path = OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
    let name =
        (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned());
    let mut options = LoadOptions { model: name, ..LoadOptions::default() };
    if concurrency != 0 {
        options.concurrency = concurrency;
    }
    options.num_threads = (num_threads != 0).then_some(num_threads);
    let load = || {
        let model = Model::load_with(path, &options).map_err(|error| error.to_string())?;
        let (inputs, outputs) = (c_infos(model.inputs()), c_infos(model.outputs()));
        Ok(CModel { model, inputs, outputs })
    };
    boxed(load())
}

fn c_infos(infos: &[TensorInfo]) -> Vec<CInfo> {
    let info = |it: &TensorInfo| CInfo {
        name: c_string(&it.name),
        dtype: it.dtype.map_or(-1, DType::number),
        dims: it.dims.iter().map(|it| c_string(it)).collect(),
    };
    infos.iter().map(info).collect()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_model_free(model: *mut CModel) {
    if !model.is_null() {
        // SAFETY: made by `boxed`, and given up here.
        drop(unsafe { Box::from_raw(model) });
    }
}

/// Declares the functions that describe one side of a model.
macro_rules! describe {
    ($side:ident, $num:ident, $name:ident, $dtype:ident, $ndim:ident, $dim:ident) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $num(model: *const CModel) -> usize {
            // SAFETY: a model, or null.
            unsafe { model.as_ref() }.map_or(0, |it| it.$side.len())
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(model: *const CModel, i: usize) -> *const c_char {
            // SAFETY: a model, or null.
            let info = unsafe { model.as_ref() }.and_then(|it| it.$side.get(i));
            info.map_or(ptr::null(), |it| it.name.as_ptr())
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $dtype(model: *const CModel, i: usize) -> i32 {
            // SAFETY: a model, or null.
            unsafe { model.as_ref() }.and_then(|it| it.$side.get(i)).map_or(-1, |it| it.dtype)
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $ndim(model: *const CModel, i: usize) -> usize {
            // SAFETY: a model, or null.
            unsafe { model.as_ref() }.and_then(|it| it.$side.get(i)).map_or(0, |it| it.dims.len())
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn $dim(model: *const CModel, i: usize, d: usize) -> *const c_char {
            // SAFETY: a model, or null.
            let info = unsafe { model.as_ref() }.and_then(|it| it.$side.get(i));
            info.and_then(|it| it.dims.get(d)).map_or(ptr::null(), |it| it.as_ptr())
        }
    };
}

describe! {
    inputs,
    tintype_model_num_inputs,
    tintype_model_input_name,
    tintype_model_input_dtype,
    tintype_model_input_ndim,
    tintype_model_input_dim
}

describe! {
    outputs,
    tintype_model_num_outputs,
    tintype_model_output_name,
    tintype_model_output_dtype,
    tintype_model_output_ndim,
    tintype_model_output_dim
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_model_run(
    model: *const CModel,
    inputs: *const *const Tensor,
    num_inputs: usize,
    outputs: *mut *mut Tensor,
    num_outputs: usize,
) -> c_int {
    let run = || {
        // SAFETY: a model or null, and as many tensors and places as were said.
        let model = unsafe { model.as_ref() }.ok_or("the model is null")?;
        let handles = unsafe { slice(inputs, num_inputs)? };
        let expected = model.outputs.len();
        if num_outputs != expected || (outputs.is_null() && expected != 0) {
            return Err(format!(
                "there is room for {num_outputs} outputs, the model has {expected}"
            ));
        }
        let tensors = handles.iter().map(|&it| unsafe { it.as_ref() }.cloned());
        let tensors: Vec<Tensor> = tensors.collect::<Option<_>>().ok_or("an input is null")?;
        model.model.run_shared(&tensors).map_err(|error| error.to_string())
    };
    match run() {
        Ok(tensors) => {
            for (k, tensor) in tensors.into_iter().enumerate() {
                // SAFETY: there is room: the numbers were compared.
                unsafe { outputs.add(k).write(Box::into_raw(Box::new(tensor))) };
            }
            0
        }
        Err(message) => {
            fail(&message);
            1
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_tensor_new(
    number: i32,
    ndim: usize,
    sizes: *const i64,
    data: *const c_void,
) -> *mut Tensor {
    let new = || {
        // SAFETY: `ndim` sizes.
        let shape = unsafe { dims(sizes, ndim)? };
        let tensor = Tensor::zeros(dtype(number)?, &shape).map_err(|error| error.to_string())?;
        if !data.is_null() {
            let len = tensor.numel() * tensor.dtype().size();
            // SAFETY: the caller has a contiguous tensor of this shape at `data`;
            // the other is new, and not smaller.
            unsafe { ptr::copy_nonoverlapping(data.cast(), tensor.data().as_ptr(), len) };
        }
        Ok(tensor)
    };
    boxed(new())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_tensor_borrow(
    number: i32,
    ndim: usize,
    sizes: *const i64,
    strides: *const i64,
    data: *mut c_void,
) -> *mut Tensor {
    let borrow = || {
        let data = NonNull::new(data.cast()).ok_or("the data is null")?;
        // SAFETY: `ndim` sizes and strides, and memory that the caller keeps.
        unsafe {
            let (shape, strides) = (dims(sizes, ndim)?, dims(strides, ndim)?);
            Tensor::from_raw_parts(data, dtype(number)?, &shape, &strides)
                .map_err(|error| error.to_string())
        }
    };
    boxed(borrow())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_tensor_contiguous(tensor: *const Tensor) -> *mut Tensor {
    // SAFETY: a tensor, or null.
    let tensor = unsafe { tensor.as_ref() }.ok_or_else(|| "the tensor is null".to_string());
    boxed(tensor.and_then(|it| it.contiguous().map_err(|error| error.to_string())))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn tintype_tensor_free(tensor: *mut Tensor) {
    if !tensor.is_null() {
        // SAFETY: made by `boxed` or a run, and given up here.
        drop(unsafe { Box::from_raw(tensor) });
    }
}

/// Declares what a tensor is asked for, and the answer of null.
macro_rules! getters {
    ($($name:ident(|$tensor:ident| $value:expr) -> $type:ty, $null:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(tensor: *const Tensor) -> $type {
                // SAFETY: a tensor, or null.
                unsafe { tensor.as_ref() }.map_or($null, |$tensor| $value)
            }
        )*
    };
}

getters! {
    tintype_tensor_dtype(|it| it.dtype().number()) -> i32, -1;
    tintype_tensor_ndim(|it| it.shape().len()) -> usize, 0;
    // No size is above i64::MAX, so the memory of a usize is that of an i64.
    tintype_tensor_sizes(|it| it.shape().as_ptr().cast()) -> *const i64, ptr::null();
    tintype_tensor_strides(|it| it.strides().as_ptr().cast()) -> *const i64, ptr::null();
    tintype_tensor_numel(|it| it.numel()) -> usize, 0;
    tintype_tensor_data(|it| it.data().as_ptr().cast()) -> *mut c_void, ptr::null_mut();
}
