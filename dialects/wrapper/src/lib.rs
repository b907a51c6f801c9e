//! The host program: every statement the printed wrapper has, one op each.
