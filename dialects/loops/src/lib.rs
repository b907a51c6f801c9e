//! Kernels: iteration spaces, loads, scalar arithmetic, reductions, structured kernels.
