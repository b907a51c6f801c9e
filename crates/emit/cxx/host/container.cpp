// The life of a container, and AOTInductor's entry points on it.
//
// A container holds the constants and `num_models` runs; `Run` takes an idle one
// and blocks until there is one. A model with state has a single run, whatever
// was asked for: its calls happen one after the other, each sees the state the
// one before left, as in eager.
#include <stdlib.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "entry.h"
#include "internal.h"

namespace tt {

static uint32_t cpu_features() {
#if defined(__x86_64__)
  uint32_t have = 0;
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f");
  if (__builtin_cpu_supports("avx")) have |= TT_CPU_AVX;
  if (__builtin_cpu_supports("avx2")) have |= TT_CPU_AVX2;
  if (__builtin_cpu_supports("fma")) have |= TT_CPU_FMA;
  if (__builtin_cpu_supports("bmi2")) have |= TT_CPU_BMI2;
  if (avx512) have |= TT_CPU_AVX512F;
  if (__builtin_cpu_supports("avx512bw")) have |= TT_CPU_AVX512BW;
  if (__builtin_cpu_supports("avx512dq")) have |= TT_CPU_AVX512DQ;
  if (__builtin_cpu_supports("avx512vl")) have |= TT_CPU_AVX512VL;
  if (__builtin_cpu_supports("avx512vnni")) have |= TT_CPU_AVX512VNNI;
  // Not every compiler knows the names of these; whether the system saves the
  // registers they use has been asked for above.
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 29 && have & TT_CPU_AVX) have |= TT_CPU_F16C;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && d & 1u << 23 && avx512)
    have |= TT_CPU_AVX512FP16;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    if (a & 1u << 4 && have & TT_CPU_AVX2) have |= TT_CPU_AVXVNNI;
    if (a & 1u << 5 && avx512) have |= TT_CPU_AVX512BF16;
  }
  return have;
#else
  return ~0u;
#endif
}

static void require_cpu(const tt_model* model) {
  // In the order of the bits.
  static const char* const names[] = {"avx",        "avx2",     "fma",        "f16c",
                                      "bmi2",       "avx512f",  "avx512bw",   "avx512dq",
                                      "avx512vl",   "avx512vnni", "avx512bf16", "avx512fp16",
                                      "avxvnni"};
  const uint32_t missing = model->cpu_required & ~cpu_features();
  if (missing)
    tt_fail("model '%s' was compiled for a CPU with %s, which this one has not: compile it for "
            "an older target",
            model->name, names[__builtin_ctz(missing)]);
}

static void set_up_run(Run* run, Container* container) {
  const tt_model* model = container->model;
  run->model = model;
  run->container = container;
  run->externs = container->externs;
  run->views = static_cast<tt_tensor*>(allocate_table(model->num_inputs, sizeof(tt_tensor)));
  run->inputs = run->views;
  run->input_held = static_cast<tt_handle*>(allocate_table(model->num_inputs, sizeof(tt_handle)));
  run->output_held =
      static_cast<tt_handle*>(allocate_table(model->num_outputs, sizeof(tt_handle)));
  run->output_filled = static_cast<bool*>(allocate_table(model->num_outputs, sizeof(bool)));
}

// What runs read from now on.
static void read_side(Run* run, const Side* side) {
  run->constants = side->constants;
  run->states = side->states;
}

void delete_container(Container* container) {
  if (!container) return;
  for (uint32_t r = 0; container->runs && r < container->num_runs; ++r) {
    Run* run = &container->runs[r];
    release_run_memory(run);
    free(run->views);
    free(run->input_held);
    free(run->output_held);
    free(run->output_filled);
    free(run->owned);
  }
  free(container->runs);
  free(container->idle);
  for (Side& side : container->sides) free_side(&side, container->model->num_constants);
  free(container->externs);
  free(container->entries);
  release_blob(&container->blob);
  pthread_cond_destroy(&container->freed);
  pthread_mutex_destroy(&container->mutex);
  pthread_mutex_destroy(&container->update);
  free(container);
}

// Deletes a container that could not be finished.
struct Unfinished {
  Container* container;
  ~Unfinished() { delete_container(container); }
};

// No run may be going on.
void fold(Container* container, const Side* side) {
  if (!container->model->fold) return;
  struct Reading {
    Container* container;
    ~Reading() { read_side(&container->runs[0], active_side(container)); }
  };
  const Reading reading{container};
  read_side(&container->runs[0], side);
  const GradGuard no_grad;
  const FinishRun finish{&container->runs[0]};
  container->model->fold(finish.run);
}

static void load_and_fold(Container* container, Blob blob) {
  container->blob = blob;
  Side* side = active_side(container);
  load_constants(container, side);
  try {
    fold(container, side);
  } catch (...) {
    side->loaded = false;
    throw;
  }
}

// No run may be going on.
void activate(Container* container, uint32_t side) {
  container->active = side;
  for (uint32_t r = 0; r < container->num_runs; ++r)
    read_side(&container->runs[r], active_side(container));
}

Container* create_container(size_t num_models) {
  const tt_model* model = &tt_model_info;
  if (model->abi != TT_ABI || model->struct_size != sizeof(tt_model))
    tt_fail("internal error: the model and the container do not match");
  if (num_models < 1 || num_models > 65536)
    tt_fail("num_models is %zu, expected a value in [1, 65536]", num_models);
  require_cpu(model);
  require_shim();

  Unfinished made{static_cast<Container*>(allocate_table(1, sizeof(Container)))};
  Container* container = made.container;
  container->model = model;
  pthread_mutex_init(&container->mutex, nullptr);
  pthread_mutex_init(&container->update, nullptr);
  pthread_cond_init(&container->freed, nullptr);

  const uint32_t n = model->num_constants;
  for (Side& side : container->sides) make_side(&side, n);
  container->entries = static_cast<Entry*>(allocate_table(n, sizeof(Entry)));
  container->externs = static_cast<void**>(allocate_table(model->num_externs, sizeof(void*)));
  for (uint32_t e = 0; e < model->num_externs; ++e) {
    container->externs[e] = find_host_function(model->externs[e]);
    if (!container->externs[e])
      tt_fail("model '%s' calls '%s', which this host does not have", model->name,
              model->externs[e]);
  }

  uint32_t num_runs = static_cast<uint32_t>(num_models);
  for (uint32_t i = 0; i < n; ++i)
    if (model->constants[i].flags & TT_CONST_STATE) num_runs = 1;
  container->runs = static_cast<Run*>(allocate_table(num_runs, sizeof(Run)));
  container->num_runs = num_runs;
  container->idle = static_cast<Run**>(allocate_table(num_runs, sizeof(Run*)));
  for (uint32_t r = 0; r < num_runs; ++r) {
    set_up_run(&container->runs[r], container);
    // The first run ends on top of the stack, so a sequential caller warms one arena only.
    container->idle[num_runs - 1 - r] = &container->runs[r];
  }
  container->num_idle = num_runs;
  activate(container, 0);

  Blob blob;
  find_blob(model->blob_size, &blob);
  if (model->blob_size == 0 || blob.data) load_and_fold(container, blob);
  made.container = nullptr;
  return container;
}

// Reads what the caller passed; a tensor that cannot be read is named.
static void read_inputs(Run* run, tt_handle* inputs) {
  run->caller_inputs = inputs;
  for (uint32_t i = 0; i < run->model->num_inputs; ++i) {
    try {
      read_tensor(inputs[i], &run->views[i]);
    } catch (const Error&) {
      char reason[256];
      strncpy(reason, last_error(), sizeof reason - 1);
      reason[sizeof reason - 1] = 0;
      tt_fail("input '%s' (input %u): %s", run->model->inputs[i].name, i, reason);
    }
  }
}

static void run_once(Run* run, tt_handle* inputs, size_t num_inputs, tt_handle* outputs,
                     size_t num_outputs, void* proxy) {
  const tt_model* model = run->model;
  if (num_inputs != model->num_inputs)
    tt_fail("expected inputs vector size to be %u, but got %zu", model->num_inputs, num_inputs);
  if (num_outputs != model->num_outputs)
    tt_fail("expected outputs vector size to be %u, but got %zu", model->num_outputs, num_outputs);
  if (!active_side(run->container)->loaded)
    tt_fail("model '%s' has no constants: they are neither behind the library nor beside it, and "
            "none were given",
            model->name);
  const GradGuard no_grad;
  const FinishRun finish{run};
  run->proxy = proxy;
  read_inputs(run, inputs);
  model->run(run);
  tt_check_fault(run);
  tt_take_inputs(run);
  for (uint32_t k = 0; k < num_outputs; ++k)
    if (!run->output_filled[k]) tt_fail("internal error: output %u is not filled", k);
  // Nothing fails from here on.
  for (uint32_t k = 0; k < num_outputs; ++k) {
    outputs[k] = run->output_held[k];
    run->output_held[k] = nullptr;
  }
}

// An idle run for as long as this lives; waits for one.
struct BorrowedRun {
  Container* container;
  Run* run;

  explicit BorrowedRun(Container* container) : container(container) {
    pthread_mutex_lock(&container->mutex);
    while (container->num_idle == 0) pthread_cond_wait(&container->freed, &container->mutex);
    run = container->idle[--container->num_idle];
    pthread_mutex_unlock(&container->mutex);
  }
  ~BorrowedRun() {
    pthread_mutex_lock(&container->mutex);
    container->idle[container->num_idle++] = run;
    pthread_cond_broadcast(&container->freed);
    pthread_mutex_unlock(&container->mutex);
  }
};

void run_model(Container* container, tt_handle* inputs, size_t num_inputs, tt_handle* outputs,
               size_t num_outputs, void* proxy) {
  const BorrowedRun borrowed(container);
  run_once(borrowed.run, inputs, num_inputs, outputs, num_outputs, proxy);
}

AllRuns::AllRuns(Container* container) : container(container) {
  pthread_mutex_lock(&container->mutex);
  while (container->num_idle != container->num_runs)
    pthread_cond_wait(&container->freed, &container->mutex);
  num_taken = container->num_idle;
  container->num_idle = 0;
  pthread_mutex_unlock(&container->mutex);
}

AllRuns::~AllRuns() {
  pthread_mutex_lock(&container->mutex);
  container->num_idle = num_taken;
  pthread_cond_broadcast(&container->freed);
  pthread_mutex_unlock(&container->mutex);
}

}  // namespace tt

using namespace tt;

TT_EXPORT int32_t AOTInductorModelContainerCreateWithDevice(Container** container,
                                                            size_t num_models,
                                                            const char* device_str, const char*) {
  return entry([&] {
    if (device_str && strcmp(device_str, "cpu") && strncmp(device_str, "cpu:", 4))
      tt_fail("device is '%s', this library runs on 'cpu'", device_str);
    *need(container) = create_container(num_models);
  });
}

TT_EXPORT int32_t AOTInductorModelContainerCreate(Container** container, size_t num_models,
                                                  bool is_cpu, const char*) {
  return entry([&] {
    if (!is_cpu) tt_fail("this library runs on the CPU only");
    *need(container) = create_container(num_models);
  });
}

TT_EXPORT int32_t AOTInductorModelContainerDelete(Container* container) {
  return entry([&] { delete_container(container); });
}

TT_EXPORT int32_t AOTInductorModelContainerRun(Container* container, tt_handle* inputs,
                                               size_t num_inputs, tt_handle* outputs,
                                               size_t num_outputs, void*, void* proxy) {
  return entry([&] {
    run_model(need(container), inputs, num_inputs, outputs, num_outputs, proxy);
  });
}

// Without any lock: the caller runs one at a time.
TT_EXPORT int32_t AOTInductorModelContainerRunSingleThreaded(Container* container,
                                                             tt_handle* inputs, size_t num_inputs,
                                                             tt_handle* outputs,
                                                             size_t num_outputs, void*,
                                                             void* proxy) {
  return entry([&] {
    if (need(container)->num_runs != 1)
      tt_fail("RunSingleThreaded needs a container with num_models = 1");
    run_once(&container->runs[0], inputs, num_inputs, outputs, num_outputs, proxy);
  });
}

// The blob is borrowed: it must outlive the container.
TT_EXPORT int32_t AOTInductorModelUpdateConstantsFromBlob(Container* container,
                                                          const uint8_t* blob) {
  return entry([&] {
    if (reinterpret_cast<uintptr_t>(need(blob)) % 64)
      tt_fail("the constants' memory is not aligned to 64 bytes");
    const AllRuns all(need(container));
    if (active_side(container)->loaded) tt_fail("the constants are loaded already");
    load_and_fold(container, Blob{reinterpret_cast<const char*>(blob), nullptr, 0});
  });
}

// --- One model by itself: a container with one run.

TT_EXPORT int32_t AOTInductorModelRun(Container* model, tt_handle* inputs, tt_handle* outputs) {
  return entry([&] {
    run_model(need(model), inputs, model->model->num_inputs, outputs, model->model->num_outputs,
              nullptr);
  });
}

TT_EXPORT int32_t AOTInductorModelDelete(Container* model) {
  return entry([&] { delete_container(model); });
}
