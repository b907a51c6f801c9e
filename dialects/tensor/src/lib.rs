//! Pure operators on tensors with symbolic shapes.
