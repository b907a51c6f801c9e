// What every generated kernel includes: explicit-lane vectors, loads and
// stores, horizontal reductions. Kernels that need more also include
//   vec_math.h  fma, rounding, sqrt and the float transcendentals
//   vec_int.h   integer division and modulus
//   vec_libm.h  the functions that go through libm lane by lane
#ifndef TT_VEC_H
#define TT_VEC_H
#include "vec_core.h"
#include "vec_mem.h"
#include "vec_reduce.h"
#endif
