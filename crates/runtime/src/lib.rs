//! Loads model libraries without PyTorch: the C shim, the container client, tensors.
