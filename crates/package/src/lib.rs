//! The output package: what PyTorch's loader reads.
