//! The C shim: the `aoti_torch_*` functions that model libraries call on tensors.
//!
//! A handle is a boxed [`Slot`]. A library gets the functions by name, through
//! [`lookup`]; nothing is exported under these names, so that a process with
//! PyTorch in it keeps PyTorch's.
#![expect(unsafe_code, reason = "C functions on pointers")]

use std::ffi::{CStr, c_char, c_void};
use std::io::Write;
use std::ptr::NonNull;

use half::{bf16, f16};

use crate::storage::Lender;
use crate::{Complex, DType, Element, Tensor};

/// What a tensor handle points to; `None` is PyTorch's undefined tensor.
pub(crate) struct Slot(pub(crate) Option<Tensor>);

/// A tensor handle, `AtenTensorHandle` in C.
pub(crate) type Handle = *mut Slot;

/// What a function returns: 0, or 1 for failure.
type Code = i32;

const CPU: i32 = 0;
const STRIDED: i32 = 0;

/// A new handle, owned by who gets it.
pub(crate) fn new_handle(tensor: Tensor) -> Handle {
    Box::into_raw(Box::new(Slot(Some(tensor))))
}

/// Takes a handle apart. Null and undefined tensors are `None`.
///
/// # Safety
///
/// The handle is null, or of [`new_handle`] or the shim, and not used again.
pub(crate) unsafe fn take_handle(handle: Handle) -> Option<Tensor> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise it is a box, and the last use of it.
    unsafe { Box::from_raw(handle) }.0
}

/// The code of a function that failed or did not.
fn code(res: Option<()>) -> Code {
    if res.is_some() { 0 } else { 1 }
}

/// The tensor of a handle.
///
/// # Safety
///
/// The handle is null or valid, and not deleted while the reference is used.
unsafe fn tensor<'a>(handle: Handle) -> Option<&'a Tensor> {
    // SAFETY: the caller's promise.
    unsafe { handle.as_ref() }?.0.as_ref()
}

/// Writes a result.
///
/// # Safety
///
/// `to` is null or may be written.
unsafe fn put<T>(to: *mut T, value: T) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe { NonNull::new(to)?.write(value) };
    Some(())
}

/// Sizes or strides, of which none may be negative.
///
/// # Safety
///
/// `data` points to `len` numbers, or is null, or `len` is 0.
unsafe fn dims(data: *const i64, len: i64) -> Option<Vec<usize>> {
    let len = usize::try_from(len).ok().filter(|&it| it <= 64)?;
    if len == 0 {
        return Some(Vec::new());
    }
    if data.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let dims = unsafe { std::slice::from_raw_parts(data, len) };
    dims.iter().map(|&it| usize::try_from(it).ok()).collect()
}

/// Declares getters: a function of a tensor whose result goes through a pointer.
macro_rules! getters {
    ($($name:ident($tensor:ident) -> $type:ty $body:block)*) => {
        $(
            unsafe extern "C" fn $name(handle: Handle, ret: *mut $type) -> Code {
                // SAFETY: the library passes a handle of ours and a place for the result.
                unsafe {
                    code((|| {
                        let $tensor = tensor(handle)?;
                        put(ret, $body)
                    })())
                }
            }
        )*
    };
}

getters! {
    get_data_ptr(it) -> *mut c_void { it.data().as_ptr().cast() }
    get_storage_size(it) -> i64 { it.storage_len() as i64 }
    get_storage_numel(it) -> i64 { (it.storage_len() / it.dtype().size()) as i64 }
    get_dim(it) -> i64 { it.shape().len() as i64 }
    get_numel(it) -> i64 { it.numel() as i64 }
    // A size is at most i64::MAX, so the memory of a usize is that of an i64.
    get_sizes(it) -> *const i64 { it.shape().as_ptr().cast() }
    get_strides(it) -> *const i64 { it.strides().as_ptr().cast() }
    get_dtype(it) -> i32 { it.dtype().number() }
    get_device_type(_it) -> i32 { CPU }
    get_device_index(_it) -> i32 { -1 }
    get_layout(_it) -> i32 { STRIDED }
    get_storage_offset(it) -> i64 { it.offset() as i64 }
    is_contiguous(it) -> bool { it.is_contiguous() }
    new_tensor_handle(it) -> Handle { new_handle(it.clone()) }
    assign_tensors_out(it) -> Handle { new_handle(it.clone()) }
    clone_preserve_strides(it) -> Handle { new_handle(it.copy_strided().ok()?) }
    clone(it) -> Handle { new_handle(clone_like_torch(it)?) }
}

/// A clone keeps the strides of a tensor without gaps and overlaps; of others it
/// is contiguous.
fn clone_like_torch(tensor: &Tensor) -> Option<Tensor> {
    let mut dims: Vec<(usize, usize)> = tensor
        .strides()
        .iter()
        .copied()
        .zip(tensor.shape().iter().copied())
        .filter(|&(_, size)| size != 1)
        .collect();
    dims.sort_unstable();
    let mut expected = 1;
    let is_dense = dims.iter().all(|&(stride, size)| {
        let fits = stride == expected;
        expected *= size;
        fits
    });
    if is_dense { tensor.copy_strided().ok() } else { tensor.copy().ok() }
}

unsafe extern "C" fn get_size(handle: Handle, d: i64, ret: *mut i64) -> Code {
    // SAFETY: as for the getters.
    unsafe { code((|| put(ret, *tensor(handle)?.shape().get(usize::try_from(d).ok()?)? as i64))()) }
}

unsafe extern "C" fn get_stride(handle: Handle, d: i64, ret: *mut i64) -> Code {
    // SAFETY: as for the getters.
    unsafe {
        code((|| put(ret, *tensor(handle)?.strides().get(usize::try_from(d).ok()?)? as i64))())
    }
}

unsafe extern "C" fn is_defined(handle: Handle, ret: *mut bool) -> Code {
    // SAFETY: as for the getters.
    unsafe { code(put(ret, tensor(handle).is_some())) }
}

unsafe extern "C" fn delete_tensor_object(handle: Handle) -> Code {
    // SAFETY: the library gives up a handle that it owns.
    drop(unsafe { take_handle(handle) });
    0
}

unsafe extern "C" fn new_uninitialized_tensor(ret: *mut Handle) -> Code {
    // SAFETY: a place for the result.
    unsafe { code(put(ret, Box::into_raw(Box::new(Slot(None))))) }
}

unsafe extern "C" fn empty_strided(
    ndim: i64,
    sizes: *const i64,
    strides: *const i64,
    dtype: i32,
    device_type: i32,
    _device_index: i32,
    ret: *mut Handle,
) -> Code {
    // SAFETY: `ndim` sizes and strides, and a place for the result.
    unsafe {
        code((|| {
            if device_type != CPU {
                return None;
            }
            let (shape, strides) = (dims(sizes, ndim)?, dims(strides, ndim)?);
            let dtype = DType::from_number(dtype)?;
            put(ret, new_handle(Tensor::with_strides(dtype, &shape, &strides).ok()?))
        })())
    }
}

unsafe extern "C" fn create_tensor_from_blob(
    data: *mut c_void,
    ndim: i64,
    sizes: *const i64,
    strides: *const i64,
    storage_offset: i64,
    dtype: i32,
    device_type: i32,
    device_index: i32,
    ret: *mut Handle,
) -> Code {
    let Some(data) = NonNull::new(data.cast::<u8>()) else {
        // SAFETY: as promised to this function.
        return unsafe {
            empty_strided(ndim, sizes, strides, dtype, device_type, device_index, ret)
        };
    };
    // SAFETY: the library owns the memory, and keeps it while the tensor is used;
    // what leaves the library as an output is copied (see model.rs).
    unsafe {
        code((|| {
            if device_type != CPU {
                return None;
            }
            let (shape, strides) = (dims(sizes, ndim)?, dims(strides, ndim)?);
            let dtype = DType::from_number(dtype)?;
            let offset = usize::try_from(storage_offset).ok()?.checked_mul(dtype.size())?;
            let data = data.add(offset);
            let tensor = Tensor::borrowed(data, dtype, &shape, &strides, Lender::Library);
            put(ret, new_handle(tensor.ok()?))
        })())
    }
}

unsafe extern "C" fn create_tensor_from_blob_v2(
    data: *mut c_void,
    ndim: i64,
    sizes: *const i64,
    strides: *const i64,
    storage_offset: i64,
    dtype: i32,
    device_type: i32,
    device_index: i32,
    ret: *mut Handle,
    layout: i32,
    _opaque_metadata: *const u8,
    _opaque_metadata_size: i64,
) -> Code {
    if layout != STRIDED {
        return 1;
    }
    // SAFETY: as promised to this function.
    unsafe {
        create_tensor_from_blob(
            data,
            ndim,
            sizes,
            strides,
            storage_offset,
            dtype,
            device_type,
            device_index,
            ret,
        )
    }
}

unsafe extern "C" fn reinterpret_tensor(
    handle: Handle,
    ndim: i64,
    sizes: *const i64,
    strides: *const i64,
    offset: i64,
    ret: *mut Handle,
) -> Code {
    // SAFETY: a handle, `ndim` sizes and strides, and a place for the result.
    unsafe {
        code((|| {
            let (shape, strides) = (dims(sizes, ndim)?, dims(strides, ndim)?);
            let offset = usize::try_from(offset).ok()?;
            let view = tensor(handle)?.as_strided(&shape, &strides, offset).ok()?;
            put(ret, new_handle(view))
        })())
    }
}

unsafe extern "C" fn as_strided(
    handle: Handle,
    sizes: *const i64,
    strides: *const i64,
    ret: *mut Handle,
) -> Code {
    // SAFETY: a handle, as many sizes and strides as it has dimensions, a place for the result.
    unsafe {
        let Some(ndim) = tensor(handle).map(|it| it.shape().len() as i64) else { return 1 };
        reinterpret_tensor(handle, ndim, sizes, strides, 0, ret)
    }
}

unsafe extern "C" fn view_dtype(handle: Handle, dtype: i32, ret: *mut Handle) -> Code {
    // SAFETY: as for the getters.
    unsafe {
        code((|| {
            let view = tensor(handle)?.reinterpret_dtype(DType::from_number(dtype)?)?;
            put(ret, new_handle(view))
        })())
    }
}

/// `dst` becomes a second handle of the tensor of `src`.
unsafe extern "C" fn assign_tensors(src: Handle, dst: Handle) -> Code {
    // SAFETY: two handles that nobody else uses meanwhile.
    unsafe {
        code((|| {
            let tensor = tensor(src)?.clone();
            dst.as_mut()?.0 = Some(tensor);
            Some(())
        })())
    }
}

/// Copies elements; shapes that differ in leading or unit dimensions are broadcast.
unsafe extern "C" fn copy(to: Handle, from: Handle, _non_blocking: i32) -> Code {
    // SAFETY: two handles.
    unsafe {
        code((|| {
            let (to, from) = (tensor(to)?, tensor(from)?);
            let from = broadcast(from, to.shape())?;
            if to.dtype() != from.dtype() {
                return None;
            }
            to.write_from(&from);
            Some(())
        })())
    }
}

fn broadcast(tensor: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let n_new = shape.len().checked_sub(tensor.shape().len())?;
    let mut strides = vec![0; n_new];
    let old = tensor.shape().iter().zip(tensor.strides());
    for ((&size, &stride), &wanted) in old.zip(&shape[n_new..]) {
        match size {
            _ if size == wanted => strides.push(stride),
            1 => strides.push(0),
            _ => return None,
        }
    }
    tensor.as_strided(shape, &strides, 0).ok()
}

unsafe extern "C" fn tensor_copy(src: Handle, dst: Handle) -> Code {
    // SAFETY: as promised to this function.
    unsafe { copy(dst, src, 0) }
}

unsafe extern "C" fn zero(handle: Handle) -> Code {
    // SAFETY: a handle.
    unsafe { code(tensor(handle).and_then(|it| it.write_zeros().ok())) }
}

extern "C" fn grad_mode_is_enabled() -> bool {
    false
}

extern "C" fn grad_mode_set_enabled(_enabled: bool) {}

/// The version the functions here were made after: PyTorch 2.15.
extern "C" fn abi_version() -> u64 {
    2 << 56 | 15 << 48
}

extern "C" fn dtype_element_size(dtype: i32) -> usize {
    DType::from_number(dtype).map_or(0, DType::size)
}

unsafe extern "C" fn check_inf_and_nan(name: *const c_char, handle: Handle) -> Code {
    // SAFETY: a handle.
    let Some(tensor) = (unsafe { tensor(handle) }) else { return 1 };
    let is_finite = match tensor.dtype() {
        DType::F32 => tensor.to_vec::<f32>().is_ok_and(|it| it.iter().all(|it| it.is_finite())),
        DType::F64 => tensor.to_vec::<f64>().is_ok_and(|it| it.iter().all(|it| it.is_finite())),
        DType::F16 => tensor.to_vec::<f16>().is_ok_and(|it| it.iter().all(|it| it.is_finite())),
        DType::BF16 => tensor.to_vec::<bf16>().is_ok_and(|it| it.iter().all(|it| it.is_finite())),
        _ => true,
    };
    if !is_finite {
        // SAFETY: a string of the library's, or null.
        unsafe { print(name, "holds a NaN or an infinity") };
    }
    i32::from(!is_finite)
}

unsafe extern "C" fn print_tensor_handle(handle: Handle, message: *const c_char) {
    // SAFETY: a handle, and a string or null.
    unsafe { print(message, &format!("{:?}", tensor(handle))) };
}

unsafe extern "C" fn warn(
    _func: *const c_char,
    _file: *const c_char,
    _line: u32,
    message: *const c_char,
) {
    // SAFETY: a string or null.
    unsafe { print(message, "(warning of the model)") };
}

/// A line on stderr, where the model wants one; nothing follows if that fails.
///
/// # Safety
///
/// `name` is a C string or null.
unsafe fn print(name: *const c_char, text: &str) {
    let name = if name.is_null() {
        "".into()
    } else {
        // SAFETY: the caller's promise.
        unsafe { CStr::from_ptr(name) }.to_string_lossy()
    };
    let _ = writeln!(std::io::stderr(), "{name}: {text}");
}

unsafe extern "C" fn item<T: Element>(handle: Handle, ret: *mut T) -> Code {
    // SAFETY: as for the getters.
    unsafe { code((|| put(ret, tensor(handle)?.item::<T>().ok()?))()) }
}

unsafe extern "C" fn scalar_to_tensor<T: Element>(value: T, ret: *mut Handle) -> Code {
    // SAFETY: a place for the result.
    unsafe { code(put(ret, new_handle(Tensor::scalar(value)))) }
}

extern "C" fn number<const N: i32>() -> i32 {
    N
}

/// The address of a function.
macro_rules! address {
    ($function:expr) => {
        $function as *const () as *mut c_void
    };
}

/// The function of this name, or null. What libraries are given.
pub(crate) unsafe extern "C" fn lookup(name: *const c_char) -> *mut c_void {
    if name.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: libraries pass a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let Some(name) = name.strip_prefix(b"aoti_torch_") else { return std::ptr::null_mut() };
    function(name).or_else(|| enumerator(name)).unwrap_or(std::ptr::null_mut())
}

fn function(name: &[u8]) -> Option<*mut c_void> {
    Some(match name {
        b"delete_tensor_object" => address!(delete_tensor_object),
        b"get_data_ptr" => address!(get_data_ptr),
        b"get_storage_size" => address!(get_storage_size),
        b"get_storage_numel" => address!(get_storage_numel),
        b"get_dim" => address!(get_dim),
        b"get_numel" => address!(get_numel),
        b"get_sizes" => address!(get_sizes),
        b"get_size" => address!(get_size),
        b"get_strides" => address!(get_strides),
        b"get_stride" => address!(get_stride),
        b"get_dtype" => address!(get_dtype),
        b"get_device_type" => address!(get_device_type),
        b"get_device_index" => address!(get_device_index),
        b"get_layout" => address!(get_layout),
        b"get_storage_offset" => address!(get_storage_offset),
        b"is_contiguous" => address!(is_contiguous),
        b"is_defined" => address!(is_defined),
        b"new_tensor_handle" => address!(new_tensor_handle),
        b"new_uninitialized_tensor" => address!(new_uninitialized_tensor),
        b"empty_strided" => address!(empty_strided),
        b"create_tensor_from_blob" => address!(create_tensor_from_blob),
        b"create_tensor_from_blob_v2" => address!(create_tensor_from_blob_v2),
        b"_reinterpret_tensor" => address!(reinterpret_tensor),
        b"as_strided" => address!(as_strided),
        b"view_dtype" => address!(view_dtype),
        b"assign_tensors" => address!(assign_tensors),
        b"assign_tensors_out" => address!(assign_tensors_out),
        b"clone" => address!(clone),
        b"clone_preserve_strides" => address!(clone_preserve_strides),
        b"copy_" => address!(copy),
        b"tensor_copy_" => address!(tensor_copy),
        b"zero_" => address!(zero),
        b"grad_mode_is_enabled" => address!(grad_mode_is_enabled),
        b"grad_mode_set_enabled" => address!(grad_mode_set_enabled),
        b"abi_version" => address!(abi_version),
        b"dtype_element_size" => address!(dtype_element_size),
        b"check_inf_and_nan" => address!(check_inf_and_nan),
        b"print_tensor_handle" => address!(print_tensor_handle),
        b"warn" => address!(warn),
        b"item_float16" => address!(item::<f16>),
        b"item_bfloat16" => address!(item::<bf16>),
        b"item_float32" => address!(item::<f32>),
        b"item_float64" => address!(item::<f64>),
        b"item_uint8" => address!(item::<u8>),
        b"item_uint16" => address!(item::<u16>),
        b"item_uint32" => address!(item::<u32>),
        b"item_uint64" => address!(item::<u64>),
        b"item_int8" => address!(item::<i8>),
        b"item_int16" => address!(item::<i16>),
        b"item_int32" => address!(item::<i32>),
        b"item_int64" => address!(item::<i64>),
        b"item_bool" => address!(item::<bool>),
        b"item_complex64" => address!(item::<Complex<f32>>),
        b"scalar_to_tensor_float32" => address!(scalar_to_tensor::<f32>),
        b"scalar_to_tensor_float64" => address!(scalar_to_tensor::<f64>),
        b"scalar_to_tensor_uint8" => address!(scalar_to_tensor::<u8>),
        b"scalar_to_tensor_uint16" => address!(scalar_to_tensor::<u16>),
        b"scalar_to_tensor_uint32" => address!(scalar_to_tensor::<u32>),
        b"scalar_to_tensor_uint64" => address!(scalar_to_tensor::<u64>),
        b"scalar_to_tensor_int8" => address!(scalar_to_tensor::<i8>),
        b"scalar_to_tensor_int16" => address!(scalar_to_tensor::<i16>),
        b"scalar_to_tensor_int32" => address!(scalar_to_tensor::<i32>),
        b"scalar_to_tensor_int64" => address!(scalar_to_tensor::<i64>),
        b"scalar_to_tensor_bool" => address!(scalar_to_tensor::<bool>),
        b"scalar_to_tensor_complex64" => address!(scalar_to_tensor::<Complex<f32>>),
        b"scalar_to_tensor_complex128" => address!(scalar_to_tensor::<Complex<f64>>),
        _ => return None,
    })
}

/// The functions that return the number of a dtype, a device, a layout or a memory format.
fn enumerator(name: &[u8]) -> Option<*mut c_void> {
    macro_rules! numbers {
        ($($name:literal = $number:literal;)*) => {
            match name {
                $($name => Some(address!(number::<$number>)),)*
                _ => None,
            }
        };
    }
    numbers! {
        b"dtype_uint8" = 0;
        b"dtype_int8" = 1;
        b"dtype_int16" = 2;
        b"dtype_int32" = 3;
        b"dtype_int64" = 4;
        b"dtype_float16" = 5;
        b"dtype_float32" = 6;
        b"dtype_float64" = 7;
        b"dtype_complex32" = 8;
        b"dtype_complex64" = 9;
        b"dtype_complex128" = 10;
        b"dtype_bool" = 11;
        b"dtype_bfloat16" = 15;
        b"dtype_float8_e5m2" = 23;
        b"dtype_float8_e4m3fn" = 24;
        b"dtype_float8_e5m2fnuz" = 25;
        b"dtype_float8_e4m3fnuz" = 26;
        b"dtype_uint16" = 27;
        b"dtype_uint32" = 28;
        b"dtype_uint64" = 29;
        b"device_type_cpu" = 0;
        b"device_type_cuda" = 1;
        b"device_type_xpu" = 12;
        b"device_type_mps" = 13;
        b"device_type_meta" = 14;
        b"device_type_privateuse1" = 20;
        b"layout_strided" = 0;
        b"layout_sparse_coo" = 1;
        b"layout_sparse_csr" = 2;
        b"layout__mkldnn" = 3;
        b"layout_sparse_csc" = 4;
        b"layout_sparse_bsr" = 5;
        b"layout_sparse_bsc" = 6;
        b"layout_jagged" = 7;
        b"memory_format_contiguous_format" = 0;
        b"memory_format_preserve_format" = 1;
        b"memory_format_channels_last" = 2;
        b"memory_format_channels_last_3d" = 3;
    }
}
