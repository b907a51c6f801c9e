//! The Python names that a pickle may use, all of which are data to us.

use crate::ScalarType;

/// A class or function that a pickle may call, with the meaning it has here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Global {
    /// Makes an empty dict.
    OrderedDict,
    /// Makes a tuple of its argument.
    Size,
    /// Makes a device.
    Device,
    /// Makes a view of a typed storage.
    RebuildTensorV2,
    /// Makes a view of a storage of bytes, with a dtype: for dtypes without a typed storage.
    RebuildTensorV3,
    /// Makes a parameter of a tensor.
    RebuildParameter,
    /// Likewise, with attributes, which are dropped.
    RebuildParameterWithState,
    /// Names the dtype of a storage; never called.
    Storage(Option<ScalarType>),
    /// Stands for itself; never called.
    DType(ScalarType),
}

impl Global {
    /// What a name means, if it may be used.
    pub(super) fn find(module: &str, name: &str) -> Option<Global> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Global::OrderedDict),
            ("torch", "Size") => Some(Global::Size),
            ("torch", "device") => Some(Global::Device),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensorV2),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTensorV3),
            ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
            ("torch._utils", "_rebuild_parameter_with_state") => {
                Some(Global::RebuildParameterWithState)
            }
            ("torch.storage" | "torch", "UntypedStorage") => Some(Global::Storage(None)),
            ("torch", name) => match ScalarType::from_storage(name) {
                Some(dtype) => Some(Global::Storage(Some(dtype))),
                None => ScalarType::from_torch(name).map(Global::DType),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_names_mean_anything() {
        let listed = [
            ("torch", "FloatStorage", Global::Storage(Some(ScalarType::F32))),
            ("torch", "bfloat16", Global::DType(ScalarType::BF16)),
            ("torch.storage", "UntypedStorage", Global::Storage(None)),
        ];
        for (module, name, global) in listed {
            assert_eq!(Global::find(module, name), Some(global));
        }
        for (module, name) in
            [("os", "system"), ("builtins", "eval"), ("torch", ""), ("torch", "load"), ("", "")]
        {
            assert_eq!(Global::find(module, name), None, "{module}.{name}");
        }
    }
}
