//! The front door: the library and the command line.
