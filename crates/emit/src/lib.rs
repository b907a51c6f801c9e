//! Wrapper to C++ hosts, loops to C++ kernels.
