// Counts the bytes that are allocated and not yet freed, and the most there were at once. Preloaded
// by memory_peers.py, which asks by the functions at the end.
//
// What the C library leaves over in front of or behind a block that is aligned to large pages is up to
// a page, is never touched, and is not counted.
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

enum { LEFT_OVER = 16 << 10, MAX_ALIGNED = 1024 };

static struct {
  void *data;
  long left;
} aligned[MAX_ALIGNED];
static int num_aligned;
static int lock;

static void take_lock(void) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
  }
}

static void give_lock(void) { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

// What of a new aligned block is not counted.
static long leave(void *data, long usable, long size) {
  if (usable - size < LEFT_OVER) return 0;
  take_lock();
  const int fits = num_aligned < MAX_ALIGNED;
  if (fits) {
    aligned[num_aligned].data = data;
    aligned[num_aligned++].left = usable - size;
  }
  give_lock();
  return fits ? usable - size : 0;
}

// What was not counted of a block that goes.
static long left_of(void *data, long usable) {
  long left = 0;
  if (usable < LEFT_OVER || !__atomic_load_n(&num_aligned, __ATOMIC_RELAXED)) return 0;
  take_lock();
  for (int i = 0; i < num_aligned && !left; ++i)
    if (aligned[i].data == data) {
      left = aligned[i].left;
      aligned[i] = aligned[--num_aligned];
    }
  give_lock();
  return left;
}

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

static void *counted_aligned(void *made, size_t size) {
  if (made) {
    const long usable = (long)malloc_usable_size(made);
    add(usable - leave(made, usable, (long)size));
  }
  return made;
}

static long counted_before(void *data) {
  const long usable = (long)malloc_usable_size(data);
  return usable - left_of(data, usable);
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }

void *calloc(size_t n, size_t size) { return counted(__libc_calloc(n, size)); }

void free(void *data) {
  if (data) add(-counted_before(data));
  __libc_free(data);
}

void *realloc(void *old, size_t size) {
  const long before = old ? counted_before(old) : 0;
  void *made = __libc_realloc(old, size);
  if (made || size == 0) add((made ? (long)malloc_usable_size(made) : 0) - before);
  return made;
}

void *memalign(size_t alignment, size_t size) {
  return counted_aligned(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return counted_aligned(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **to, size_t alignment, size_t size) {
  void *made = counted_aligned(__libc_memalign(alignment, size), size);
  if (!made) return ENOMEM;
  *to = made;
  return 0;
}

long live_bytes(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

long peak_bytes(void) { return __atomic_load_n(&peak, __ATOMIC_RELAXED); }

void forget_peak(void) { __atomic_store_n(&peak, live_bytes(), __ATOMIC_RELAXED); }
