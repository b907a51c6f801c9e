// The host's C shim: found at load time, never imported.
//
// The library has no undefined `aoti_torch_*` symbols, so that it loads into a
// Python process (where libtorch_cpu is loaded RTLD_LOCAL), into a host older
// than some function, and into a process without PyTorch, whose runtime hands
// over its own functions by `tintype_set_shim`.
#include <dlfcn.h>

#include "internal.h"

// Declared by hand: the whole of omp.h is not needed.
extern "C" int omp_get_max_threads(void);

namespace tt {

Shim shim;

typedef void* (*Lookup)(const char* name);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static Lookup given_lookup;
static bool resolved;

bool host_reads_errors() { return given_lookup; }

void* find_host_function(const char* name) {
  if (given_lookup) return given_lookup(name);
  if (void* found = dlsym(RTLD_DEFAULT, name)) return found;
  void* library = dlopen("libtorch_cpu.so", RTLD_NOLOAD | RTLD_NOW);
  if (!library) return nullptr;
  void* found = dlsym(library, name);
  // Whoever loaded it keeps it loaded.
  dlclose(library);
  return found;
}

// `missing` becomes the first name that is not there.
template <typename F>
static void find(F& slot, const char* name, const char** missing) {
  slot = reinterpret_cast<F>(find_host_function(name));
  if (!slot && missing && !*missing) *missing = name;
}

static const char* resolve() {
  const char* missing = nullptr;
  find(shim.delete_tensor_object, "aoti_torch_delete_tensor_object", &missing);
  find(shim.empty_strided, "aoti_torch_empty_strided", &missing);
  find(shim.create_tensor_from_blob, "aoti_torch_create_tensor_from_blob", &missing);
  find(shim.reinterpret_tensor, "aoti_torch__reinterpret_tensor", &missing);
  find(shim.assign_tensors_out, "aoti_torch_assign_tensors_out", &missing);
  find(shim.get_data_ptr, "aoti_torch_get_data_ptr", &missing);
  find(shim.get_dim, "aoti_torch_get_dim", &missing);
  find(shim.get_sizes, "aoti_torch_get_sizes", &missing);
  find(shim.get_strides, "aoti_torch_get_strides", &missing);
  find(shim.get_dtype, "aoti_torch_get_dtype", &missing);
  find(shim.get_device_type, "aoti_torch_get_device_type", &missing);
  find(shim.grad_mode_is_enabled, "aoti_torch_grad_mode_is_enabled", &missing);
  find(shim.grad_mode_set_enabled, "aoti_torch_grad_mode_set_enabled", &missing);
  find(shim.new_tensor_handle, "aoti_torch_new_tensor_handle", nullptr);
  find(shim.proxy_executor_call_function, "aoti_torch_proxy_executor_call_function", nullptr);
  return missing;
}

// OpenMP's threads live on after a parallel region. If the host closes us, and we
// were the only one to need OpenMP, its code would vanish under them: keep it.
static void keep_openmp() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(omp_get_max_threads), &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

void require_shim() {
  pthread_mutex_lock(&mutex);
  const char* missing = resolved ? nullptr : resolve();
  if (!missing && !resolved) keep_openmp();
  resolved = !missing;
  pthread_mutex_unlock(&mutex);
  if (missing)
    tt_fail("this process has no function '%s': load PyTorch 2.6 or newer first, or load the "
            "library with Tintype's runtime",
            missing);
}

tt_handle same_tensor(tt_handle handle) {
  tt_handle result = nullptr;
  // The older function means the same; the newer is the one PyTorch keeps.
  auto* function = shim.new_tensor_handle ? shim.new_tensor_handle : shim.assign_tensors_out;
  if (function(handle, &result)) tt_fail("making a second handle of a tensor failed");
  return result;
}

}  // namespace tt

// Makes this library take its tensor functions from `lookup` (name to address, null
// if there is none). For hosts without PyTorch; call before a container is made.
TT_EXPORT void tintype_set_shim(tt::Lookup lookup) {
  pthread_mutex_lock(&tt::mutex);
  // The same again changes nothing: other threads may be running the library's models.
  if (tt::given_lookup != lookup) {
    tt::given_lookup = lookup;
    tt::resolved = false;
  }
  pthread_mutex_unlock(&tt::mutex);
}

// What the model is.
TT_EXPORT const tt_model* tintype_get_model() { return &tt_model_info; }
