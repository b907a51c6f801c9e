// How a kernel reports an error found while it computes.
//
// Kernels run inside parallel regions, which an exception may not leave.
// So a kernel records the first fault it meets in a `tt_fault`, carries on (or
// skips the element), and the host program looks at the record after the call.
#ifndef TINTYPE_FAULT_H
#define TINTYPE_FAULT_H

#include <stdint.h>

struct tt_fault {
  int32_t state;     // 0: none, 1: being written, 2: written
  const char* text;  // what was computed: "index of embedding", a message of the model
  int64_t value;     // the offending value, and the range [lo, hi) it should lie in;
  int64_t lo;        // lo == hi: no range is told, the text says everything
  int64_t hi;
};

// Records a fault; the first one of a run wins. Safe from any thread.
__attribute__((cold, noinline, unused)) static void tt_raise(tt_fault* fault, const char* text,
                                                             int64_t value, int64_t lo,
                                                             int64_t hi) {
  int32_t none = 0;
  if (!__atomic_compare_exchange_n(&fault->state, &none, 1, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    return;
  fault->text = text;
  fault->value = value;
  fault->lo = lo;
  fault->hi = hi;
  __atomic_store_n(&fault->state, 2, __ATOMIC_RELEASE);
}

#endif
