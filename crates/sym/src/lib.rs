//! Symbolic sizes: normal form, ranges, egg rules, srepr reader, C++ printer.
