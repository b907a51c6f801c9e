// Counts the bytes that are allocated and not yet freed, and the most there were at once. Preloaded
// by memory_peers.py, which asks by the functions at the end.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static long live;
static long peak;

static void add(long bytes) {
  const long now = __atomic_add_fetch(&live, bytes, __ATOMIC_RELAXED);
  long most = __atomic_load_n(&peak, __ATOMIC_RELAXED);
  while (most < now && !__atomic_compare_exchange_n(&peak, &most, now, 1, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED)) {
  }
}

static void *counted(void *made) {
  if (made) add((long)malloc_usable_size(made));
  return made;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t n, size_t size) { return counted(__libc_calloc(n, size)); }

void free(void *data) {
  if (data) add(-(long)malloc_usable_size(data));
  __libc_free(data);
}

void *realloc(void *old, size_t size) {
  const long before = old ? (long)malloc_usable_size(old) : 0;
  void *made = __libc_realloc(old, size);
  if (made || size == 0) add((made ? (long)malloc_usable_size(made) : 0) - before);
  return made;
}

void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **to, size_t alignment, size_t size) {
  void *made = counted(__libc_memalign(alignment, size));
  if (!made) return ENOMEM;
  *to = made;
  return 0;
}

long live_bytes(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

long peak_bytes(void) { return __atomic_load_n(&peak, __ATOMIC_RELAXED); }

void forget_peak(void) { __atomic_store_n(&peak, live_bytes(), __ATOMIC_RELAXED); }
