//! State: the buffers that a model writes, which stay from run to run.
#![expect(unsafe_code, reason = "calls the library's C functions")]

use std::ptr;

use crate::{Error, Model, Tensor};

impl Model {
    /// A copy of what the model keeps from run to run: its buffers by their names in the model.
    /// No run can be going on, which may change it.
    pub fn state(&mut self) -> Result<Vec<(String, Tensor)>, Error> {
        let live = self.live_state()?;
        live.into_iter().map(|(name, it)| Ok((name, it.copy()?))).collect()
    }

    /// Puts back what [`Model::state`] gave: all of it, by name, with the same dtypes and shapes.
    /// Nothing is changed if anything does not fit.
    pub fn set_state(&mut self, state: &[(String, Tensor)]) -> Result<(), Error> {
        let live = self.live_state()?;
        let bad = |message: String| Err(Error::State { message });
        if let Some((name, _)) = state.iter().find(|it| live.iter().all(|live| live.0 != it.0)) {
            return bad(format!("the model keeps no `{name}`"));
        }
        let mut pairs = Vec::new();
        for (name, kept) in &live {
            let Some((_, new)) = state.iter().find(|it| it.0 == *name) else {
                return bad(format!("`{name}` is missing"));
            };
            if (new.dtype(), new.shape()) != (kept.dtype(), kept.shape()) {
                return bad(format!(
                    "`{name}` is {}{:?}, not {}{:?}",
                    kept.dtype(),
                    kept.shape(),
                    new.dtype(),
                    new.shape()
                ));
            }
            pairs.push((kept, new));
        }
        pairs.into_iter().for_each(|(kept, new)| kept.write_from(new));
        Ok(())
    }

    /// The memory itself, as tensors that are not to outlive the borrow.
    fn live_state(&mut self) -> Result<Vec<(String, Tensor)>, Error> {
        if self.library.states.is_empty() {
            return Ok(Vec::new());
        }
        let (mut entries, mut count) = (ptr::null(), 0);
        // SAFETY: the library's function, with places for its results.
        let code = unsafe {
            (self.library.entries.extract)(self.container, &mut entries, &mut count, false)
        };
        if code != 0 {
            return Err(Error::State { message: self.library.last_error() });
        }
        let mut res = Vec::new();
        for i in 0..count {
            // SAFETY: an array of so many entries, which stays until the next such call; each has
            // a name and a handle of our shim, which stay the container's.
            let (name, tensor) = unsafe {
                let entry = &*entries.add(i);
                let tensor = entry.handle.as_ref().and_then(|it| it.0.clone());
                (crate::library::text(entry.name), tensor)
            };
            if let Some(tensor) = tensor.filter(|_| self.library.states.contains(&name)) {
                res.push((name, tensor));
            }
        }
        Ok(res)
    }
}
