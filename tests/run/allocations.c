// Counts what is allocated by anything but the program itself and the C library: by a model, and
// by the OpenMP runtime under it. Preloaded by allocations.sh.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static unsigned long count;
static char last[512];

static void note(void *caller) {
  Dl_info info;
  if (!dladdr(caller, &info) || !info.dli_fname) return;
  const char *name = info.dli_fname;
  if (!strcmp(name, program_invocation_name) || strstr(name, "/libc.so") || strstr(name, "/ld-") ||
      strstr(name, "/libstdc++") || strstr(name, "/libgcc"))
    return;
  __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
  strncpy(last, name, sizeof last - 1);
}

void *malloc(size_t size) {
  note(__builtin_return_address(0));
  return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
  note(__builtin_return_address(0));
  return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
  note(__builtin_return_address(0));
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  note(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  note(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **to, size_t alignment, size_t size) {
  note(__builtin_return_address(0));
  *to = __libc_memalign(alignment, size);
  return *to ? 0 : ENOMEM;
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("ALLOCATIONS_REPORT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%lu %s\n", count, last);
  fclose(file);
}
