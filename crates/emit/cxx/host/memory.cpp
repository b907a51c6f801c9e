// Blocks, the arena, and copies between layouts.
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

namespace tt {

static const uint64_t HUGE_PAGE = 2u << 20;
static const uint64_t LARGE = 2 * HUGE_PAGE;

void* allocate_block(uint64_t bytes) {
  const bool large = bytes >= LARGE;
  void* data = nullptr;
  if (bytes > (uint64_t)INT64_MAX - HUGE_PAGE ||
      posix_memalign(&data, large ? HUGE_PAGE : 64, bytes ? bytes : 64))
    tt_fail("out of memory: %llu bytes", (unsigned long long)bytes);
  // Only advice: a kernel without huge pages says no, and nothing changes.
  if (large) madvise(data, bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);
  return data;
}

void* allocate_table(uint64_t count, uint64_t size) {
  // One element at least, so that null always means failure.
  void* table = calloc(count ? count : 1, size);
  if (!table) tt_fail("out of memory");
  return table;
}

// Room for growth once a block had to grow, so that slowly growing sizes do not
// reallocate on every run. Sizes that never grow have none.
static uint64_t with_slack(uint64_t bytes) {
  return bytes < LARGE ? bytes : bytes + bytes / 8;
}

int64_t span_bytes(int32_t ndim, const int64_t* sizes, const int64_t* strides, int32_t dtype) {
  int64_t last = 0;
  for (int32_t d = 0; d < ndim; ++d) {
    if (sizes[d] < 0 || strides[d] < 0) tt_fail("a tensor's size or stride is negative");
    if (sizes[d] == 0) return 0;
    int64_t reach;
    if (__builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) ||
        __builtin_add_overflow(last, reach, &last))
      tt_fail("a tensor is too large to be addressed");
  }
  int64_t bytes;
  if (__builtin_mul_overflow(last + 1, dtype_size(dtype), &bytes))
    tt_fail("a tensor is too large to be addressed");
  return bytes;
}

void copy_strided(char* to, const int64_t* to_strides, const char* from,
                  const int64_t* from_strides, int32_t ndim, const int64_t* sizes,
                  int64_t item_size) {
  if (ndim == 0) {
    memcpy(to, from, item_size);
    return;
  }
  const int64_t to_step = to_strides[0] * item_size;
  const int64_t from_step = from_strides[0] * item_size;
  if (ndim == 1 && to_step == item_size && from_step == item_size) {
    memcpy(to, from, sizes[0] * item_size);
    return;
  }
  for (int64_t i = 0; i < sizes[0]; ++i)
    copy_strided(to + i * to_step, to_strides + 1, from + i * from_step, from_strides + 1,
                 ndim - 1, sizes + 1, item_size);
}

static void fill_block(Block* block, uint64_t bytes) {
  const uint64_t size = block->data ? with_slack(bytes) : bytes;
  free(block->data);
  block->data = nullptr;
  block->size = 0;
  block->data = allocate_block(size);
  block->size = size;
}

void release_run_memory(Run* run) {
  free(run->arena.data);
  for (uint32_t b = 0; b < run->num_blocks; ++b) free(run->blocks[b].data);
  free(run->blocks);
}

}  // namespace tt

using namespace tt;

static uint64_t checked_bytes(int64_t bytes) {
  if (bytes < 0 || bytes > INT64_MAX - 64)
    tt_fail("the model needs more memory than can be addressed for inputs of these sizes");
  return bytes ? tt_align64(bytes) : 64;
}

char* tt_arena(tt_run* run, int64_t bytes) {
  const uint64_t need = checked_bytes(bytes);
  Block* arena = &full(run)->arena;
  if (arena->size < need) fill_block(arena, need);
  return static_cast<char*>(arena->data);
}

void* tt_alloc(tt_run* base, int64_t bytes) {
  Run* run = full(base);
  const uint64_t need = checked_bytes(bytes);
  Block* best = nullptr;
  Block* spare = nullptr;
  for (uint32_t b = 0; b < run->num_blocks; ++b) {
    Block* block = &run->blocks[b];
    if (block->used) continue;
    spare = block;
    if (need <= block->size && (!best || block->size < best->size)) best = block;
  }
  if (!best && spare) {
    // A free block that is too small makes way: there are never more blocks
    // than were once in use together.
    fill_block(spare, need);
    best = spare;
  }
  if (!best) {
    if (run->num_blocks == run->block_capacity) {
      const uint32_t capacity = run->block_capacity ? run->block_capacity * 2 : 8;
      void* grown = realloc(run->blocks, capacity * sizeof(Block));
      if (!grown) tt_fail("out of memory");
      run->blocks = static_cast<Block*>(grown);
      run->block_capacity = capacity;
    }
    best = &run->blocks[run->num_blocks];
    *best = Block();
    fill_block(best, need);
    ++run->num_blocks;
  }
  best->used = true;
  return best->data;
}

void tt_free(tt_run* base, void* data) {
  Run* run = full(base);
  for (uint32_t b = 0; b < run->num_blocks; ++b)
    if (run->blocks[b].data == data) run->blocks[b].used = false;
}

static const unsigned char GUARD = 0xa5;

void tt_guard(char* data, int64_t bytes) { memset(data, GUARD, bytes); }

void tt_check_guard(const char* data, int64_t bytes, const char* message) {
  for (int64_t b = 0; b < bytes; ++b)
    if (static_cast<unsigned char>(data[b]) != GUARD) tt_fail("%s", message);
}

void tt_forget(void* data, int64_t bytes) { memset(data, 0xff, bytes); }
