//! What the archive says: ATen operators by their schema.
