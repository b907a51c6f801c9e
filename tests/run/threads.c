// Eight threads run one library at once. Without state they share one model; with state each has one
// of its own. Every result must be that of a run which nothing ran beside.
//
// threads LIBRARY shared|own RUNS
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tintype.h"

enum { THREADS = 8, MAX_TENSORS = 16, MAX_DIMS = 8, VARIANTS = 16 };

// The size of what the model says by a symbol.
enum { SIZE = 3 };

static const char* path;
static long runs;
// What each run gives, as a hash of all its outputs.
static uint64_t* expected;

static void fail(const char* what) {
  const char* reason = tintype_last_error();
  fprintf(stderr, "%s: %s\n", what, reason ? reason : "no message");
  exit(1);
}

static tintype_model* load(void) {
  tintype_model* model = tintype_model_load_with(path, NULL, THREADS, 1);
  if (!model) fail("loading");
  return model;
}

// An input of the k-th run.
static tintype_tensor* input(const tintype_model* model, size_t i, long k) {
  int64_t sizes[MAX_DIMS];
  const size_t ndim = tintype_model_input_ndim(model, i);
  for (size_t d = 0; d < ndim; ++d) {
    char* end = NULL;
    const char* text = tintype_model_input_dim(model, i, d);
    sizes[d] = strtol(text, &end, 10);
    if (*end) sizes[d] = SIZE;
  }
  const int32_t dtype = tintype_model_input_dtype(model, i);
  tintype_tensor* tensor = tintype_tensor_new(dtype, ndim, sizes, NULL);
  if (!tensor) fail("making an input");
  const size_t numel = tintype_tensor_numel(tensor), bytes = tintype_dtype_size(dtype);
  for (size_t e = 0; e < numel; ++e) {
    const int number = (int)((e * 7 + (size_t)(k % VARIANTS) * 5 + i) % 11);
    char* at = (char*)tintype_tensor_data(tensor) + e * bytes;
    if (dtype == TINTYPE_FLOAT32) {
      const float value = (float)number / 8 - 0.5f;
      memcpy(at, &value, sizeof value);
    } else if (dtype == TINTYPE_INT64) {
      const int64_t value = number;
      memcpy(at, &value, sizeof value);
    } else {
      fprintf(stderr, "no inputs are made of that dtype\n");
      exit(1);
    }
  }
  return tensor;
}

static uint64_t run(const tintype_model* model, long k) {
  const size_t ins = tintype_model_num_inputs(model), outs = tintype_model_num_outputs(model);
  tintype_tensor *inputs[MAX_TENSORS], *outputs[MAX_TENSORS];
  if (ins > MAX_TENSORS || outs > MAX_TENSORS) fail("too many tensors");
  for (size_t i = 0; i < ins; ++i) inputs[i] = input(model, i, k);
  if (tintype_model_run(model, (const tintype_tensor* const*)inputs, ins, outputs, outs))
    fail("running");
  uint64_t hash = 14695981039346656037u;
  for (size_t o = 0; o < outs; ++o) {
    tintype_tensor* dense = tintype_tensor_contiguous(outputs[o]);
    const size_t bytes =
        tintype_tensor_numel(dense) * tintype_dtype_size(tintype_tensor_dtype(dense));
    const unsigned char* data = (const unsigned char*)tintype_tensor_data(dense);
    for (size_t b = 0; b < bytes; ++b) hash = (hash ^ data[b]) * 1099511628211u;
    tintype_tensor_free(dense);
    tintype_tensor_free(outputs[o]);
  }
  for (size_t i = 0; i < ins; ++i) tintype_tensor_free(inputs[i]);
  return hash;
}

// Runs on the model that is given, or on one of its own; gives the first run that went wrong.
static void* work(void* given) {
  tintype_model* model = given ? (tintype_model*)given : load();
  long wrong = -1;
  for (long k = 0; k < runs && wrong < 0; ++k)
    if (run(model, k) != expected[k]) wrong = k;
  if (!given) tintype_model_free(model);
  return (void*)(intptr_t)(wrong + 1);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "threads LIBRARY shared|own RUNS\n");
    return 2;
  }
  path = argv[1];
  const int shared = !strcmp(argv[2], "shared");
  runs = atol(argv[3]);
  expected = (uint64_t*)malloc((size_t)runs * sizeof *expected);
  tintype_model* first = load();
  for (long k = 0; k < runs; ++k) expected[k] = run(first, k);
  pthread_t threads[THREADS];
  for (int t = 0; t < THREADS; ++t)
    if (pthread_create(&threads[t], NULL, work, shared ? first : NULL)) fail("no thread");
  int failed = 0;
  for (int t = 0; t < THREADS; ++t) {
    void* wrong = NULL;
    pthread_join(threads[t], &wrong);
    if (!wrong) continue;
    fprintf(stderr, "thread %d: run %ld differs\n", t, (long)(intptr_t)wrong - 1);
    failed = 1;
  }
  // A model without state gives the same for the same inputs, one with state need not.
  int repeats = 1;
  for (long k = VARIANTS; k < runs; ++k) repeats &= expected[k] == expected[k - VARIANTS];
  if (shared != repeats) {
    fprintf(stderr, "the model %s state, which is not what was asked for\n", repeats ? "has no" : "has");
    failed = 1;
  }
  tintype_model_free(first);
  free(expected);
  return failed;
}
