// The memory of a model's runs, seen by an allocator that knows who asks.
//
// arenas LIBRARY SIZE TENSORS
//
// A model whose symbols are SIZE may hold TENSORS times what its first input takes, and a quarter
// more, for each run that goes on at once; no run after the first ones allocates anything; two runs at
// once have a block each and give what one alone gives; and large blocks ask for large pages.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tintype.h"

enum { ROUNDS = 20, MAX_DIMS = 8, MAX_INPUTS = 4, MAX_BLOCKS = 64, HUGE = 2 << 20 };

static const char* path;
static int64_t size;

static void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

// --- What the library allocates. The program comes first where names are looked up, so these are
// called instead of the C library's.

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  void* data;
  size_t bytes;
} blocks[MAX_BLOCKS];
static long num_blocks, allocations;
static size_t live, most;
// The last block that large pages were asked for, how much of it, and the answer.
static void* advised;
static size_t advised_bytes;
static int advised_answer = -1;

// Two runs wait for each other where they make their outputs: then both are going on.
static __thread int in_run;
static int waiting, met;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;

static void meet(void) {
  in_run = 0;
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 60;
  pthread_mutex_lock(&lock);
  const int round = met;
  if (++waiting == 2) {
    waiting = 0;
    ++met;
    pthread_cond_broadcast(&came);
  }
  while (met == round)
    if (pthread_cond_timedwait(&came, &lock, &end) == ETIMEDOUT)
      fail("two runs are never in the model at once");
  pthread_mutex_unlock(&lock);
}

static int from_the_library(void* caller) {
  Dl_info info;
  return path && dladdr(caller, &info) && info.dli_fname && !strcmp(info.dli_fname, path);
}

static void* note(void* caller, void* made, size_t bytes) {
  if (!from_the_library(caller)) {
    // An output; what else is made for a run is small.
    if (in_run && HUGE <= bytes) meet();
    return made;
  }
  pthread_mutex_lock(&lock);
  ++allocations;
  live += bytes;
  if (most < live) most = live;
  if (num_blocks == MAX_BLOCKS) fail("the library holds many blocks");
  blocks[num_blocks].data = made;
  blocks[num_blocks++].bytes = bytes;
  pthread_mutex_unlock(&lock);
  return made;
}

static void forget(void* data) {
  pthread_mutex_lock(&lock);
  for (long b = 0; data && b < num_blocks; ++b)
    if (blocks[b].data == data) {
      live -= blocks[b].bytes;
      blocks[b] = blocks[--num_blocks];
      break;
    }
  pthread_mutex_unlock(&lock);
}

void* malloc(size_t bytes) {
  return note(__builtin_return_address(0), __libc_malloc(bytes), bytes);
}

void* calloc(size_t n, size_t bytes) {
  return note(__builtin_return_address(0), __libc_calloc(n, bytes), n * bytes);
}

void* realloc(void* old, size_t bytes) {
  forget(old);
  return note(__builtin_return_address(0), __libc_realloc(old, bytes), bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return note(__builtin_return_address(0), __libc_memalign(alignment, bytes), bytes);
}

int posix_memalign(void** to, size_t alignment, size_t bytes) {
  *to = note(__builtin_return_address(0), __libc_memalign(alignment, bytes), bytes);
  return *to ? 0 : ENOMEM;
}

void free(void* data) {
  forget(data);
  __libc_free(data);
}

int madvise(void* data, size_t bytes, int advice) {
  const int answer = (int)syscall(SYS_madvise, data, bytes, advice);
  if (advice == MADV_HUGEPAGE) {
    advised = data;
    advised_bytes = bytes;
    advised_answer = answer;
  }
  return answer;
}

// --- Runs.

static tintype_tensor* input(const tintype_model* model, size_t i, long k) {
  int64_t sizes[MAX_DIMS];
  const size_t ndim = tintype_model_input_ndim(model, i);
  for (size_t d = 0; d < ndim; ++d) {
    char* end = NULL;
    sizes[d] = strtol(tintype_model_input_dim(model, i, d), &end, 10);
    if (*end) sizes[d] = size;
  }
  tintype_tensor* tensor = tintype_tensor_new(TINTYPE_FLOAT32, ndim, sizes, NULL);
  if (!tensor) fail("no input can be made");
  float* data = (float*)tintype_tensor_data(tensor);
  const size_t numel = tintype_tensor_numel(tensor);
  // The sign of the sum alternates with k.
  for (size_t e = 0; e < numel; ++e)
    data[e] = (float)((int)((e * 7 + i) % 11) - (k % 2 ? 4 : 6)) / 16;
  return tensor;
}

static uint64_t run(const tintype_model* model, long k, int meets) {
  const size_t ins = tintype_model_num_inputs(model);
  tintype_tensor *inputs[MAX_INPUTS], *output = NULL;
  if (ins > MAX_INPUTS || tintype_model_num_outputs(model) != 1) fail("another number of tensors");
  for (size_t i = 0; i < ins; ++i) inputs[i] = input(model, i, k);
  in_run = meets;
  const int failed = tintype_model_run(model, (const tintype_tensor* const*)inputs, ins, &output, 1);
  in_run = 0;
  if (failed) fail(tintype_last_error());
  uint64_t hash = 14695981039346656037u;
  const unsigned char* data = (const unsigned char*)tintype_tensor_data(output);
  const size_t bytes = tintype_tensor_numel(output) * sizeof(float);
  for (size_t b = 0; b < bytes; b += 4) {
    uint32_t word;
    memcpy(&word, data + b, sizeof word);
    hash = (hash ^ word) * 1099511628211u;
  }
  tintype_tensor_free(output);
  for (size_t i = 0; i < ins; ++i) tintype_tensor_free(inputs[i]);
  return hash;
}

static const tintype_model* shared;
static uint64_t expected[2];

// Gives how many of its runs went wrong.
static void* runs_beside_another(void* unused) {
  (void)unused;
  intptr_t wrong = 0;
  for (long k = 0; k < ROUNDS; ++k) wrong += run(shared, k, 1) != expected[k % 2];
  return (void*)wrong;
}

static void two_at_once(void) {
  pthread_t threads[2];
  for (int t = 0; t < 2; ++t)
    if (pthread_create(&threads[t], NULL, runs_beside_another, NULL)) fail("no thread");
  for (int t = 0; t < 2; ++t) {
    void* wrong = NULL;
    pthread_join(threads[t], &wrong);
    if (wrong) fail("beside another run the result is another");
  }
}

// --- What is seen.

static int failed;

static void expect(int holds, const char* what, size_t given) {
  printf("%s: %s (%zu)\n", holds ? "ok" : "FAILED", what, given);
  failed |= !holds;
}

// Whether the kernel keeps large pages in mind for the mapping that an address is in.
static int wants_large_pages(const void* data) {
  FILE* maps = fopen("/proc/self/smaps", "r");
  char line[4096];
  int inside = 0, wants = 0;
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
      inside = from <= (uintptr_t)data && (uintptr_t)data < to;
    if (inside && !strncmp(line, "VmFlags:", 8)) wants = strstr(line, " hg") != NULL;
  }
  if (maps) fclose(maps);
  return wants;
}

int main(int argc, char** argv) {
  if (argc != 4) fail("arenas LIBRARY SIZE TENSORS");
  size = atol(argv[2]);
  tintype_model* model = tintype_model_load_with(argv[1], NULL, 2, 1);
  if (!model) fail(tintype_last_error());
  shared = model;
  path = argv[1];
  for (long k = 0; k < 2; ++k) expected[k] = run(model, k, 0);
  tintype_tensor* first = input(model, 0, 0);
  const size_t tensor = tintype_tensor_numel(first) * sizeof(float);
  tintype_tensor_free(first);
  const size_t bound = tensor * (size_t)atol(argv[3]) + tensor / 4;

  const size_t alone = most;
  expect(tensor <= alone && alone <= bound, "bytes that a run holds", alone);
  const long before = allocations;
  for (long k = 0; k < ROUNDS; ++k)
    if (run(model, k, 0) != expected[k % 2]) fail("a run again gives another result");
  expect(allocations == before, "allocations until runs repeat", (size_t)allocations);

  two_at_once();
  expect(live == 2 * alone, "bytes that two runs at once hold", live);
  const long both = allocations;
  two_at_once();
  expect(allocations == both, "allocations until two at once repeat", (size_t)allocations);

  expect(advised && (uintptr_t)advised % HUGE == 0 && advised_bytes % HUGE == 0,
         "bytes that large pages were asked for", advised_bytes);
  if (advised_answer == 0)
    expect(wants_large_pages(advised), "large pages are noted by the kernel", advised_bytes);
  else
    printf("skipped: this kernel has no large pages\n");
  tintype_model_free(model);
  return failed;
}
