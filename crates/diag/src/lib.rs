//! Diagnostics: codes, places, and the one renderer.
