//! Export archives, 2.6 to today, to aten.
