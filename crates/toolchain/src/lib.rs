//! Finds and runs the host compiler; target CPUs; the object cache.
