//! The memory behind tensors.
#![expect(unsafe_code, reason = "owns and hands out raw memory")]

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use crate::Element;

/// Where the memory of a tensor made here starts.
pub(crate) const ALIGNMENT: usize = 64;

/// A run of bytes that tensors share.
///
/// The bytes are reached by pointers only: a model writes them through its own
/// pointers while this is shared. Who makes a Rust slice of them answers for it.
#[derive(Debug)]
pub(crate) struct Storage {
    data: NonNull<u8>,
    len: usize,
    owner: Owner,
}

/// Whose memory is borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lender {
    /// The user of this crate.
    User,
    /// A model library, during a run.
    Library,
}

enum Owner {
    /// Allocated here: what to give back, and its layout.
    Allocated(NonNull<u8>, Layout),
    /// Memory of something that is dropped with the storage.
    Value(#[expect(dead_code, reason = "held to be dropped")] Box<dyn Send + Sync>),
    /// The user's, who promised that it lives long enough.
    User,
    /// A model library's own, valid during a run.
    Library,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Owner::Allocated(..) => "Allocated",
            Owner::Value(_) => "Value",
            Owner::User => "User",
            Owner::Library => "Library",
        })
    }
}

// SAFETY: memory is not bound to a thread, and the owner can be sent.
unsafe impl Send for Storage {}
// SAFETY: through a shared reference only the pointer is given out.
unsafe impl Sync for Storage {}

impl Storage {
    /// New memory, all zero; `None` if there is not enough.
    pub(crate) fn zeroed(len: usize) -> Option<Storage> {
        // The system's zeroed pages cost nothing until they are touched, but only
        // an allocation of ordinary alignment gets them: so align by hand.
        let layout = Layout::from_size_align(len.checked_add(ALIGNMENT)?, 16).ok()?;
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc::alloc_zeroed(layout) })?;
        let skip = base.addr().get().wrapping_neg() % ALIGNMENT;
        // SAFETY: `skip` is less than the ALIGNMENT bytes that were asked for on top.
        let data = unsafe { base.add(skip) };
        Some(Storage { data, len, owner: Owner::Allocated(base, layout) })
    }

    /// The memory of a vector, as it is.
    pub(crate) fn from_vec<T: Element>(mut vec: Vec<T>) -> Storage {
        let len = size_of_val(vec.as_slice());
        // A vector's pointer is never null; taken mutably, so that it may be written through.
        let data = NonNull::new(vec.as_mut_ptr().cast()).unwrap_or(NonNull::dangling());
        // Moving the vector does not move its elements.
        Storage { data, len, owner: Owner::Value(Box::new(vec)) }
    }

    /// Memory of somebody else.
    ///
    /// # Safety
    ///
    /// `data` points to `len` bytes that may be read and written for as long as
    /// this storage is used.
    pub(crate) unsafe fn borrowed(data: NonNull<u8>, len: usize, owner: Lender) -> Storage {
        let owner = match owner {
            Lender::User => Owner::User,
            Lender::Library => Owner::Library,
        };
        Storage { data, len, owner }
    }

    /// The first byte.
    pub(crate) fn data(&self) -> NonNull<u8> {
        self.data
    }

    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether the memory is a library's, and may be gone after the run.
    pub(crate) fn is_of_library(&self) -> bool {
        matches!(self.owner, Owner::Library)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if let Owner::Allocated(base, layout) = self.owner {
            // SAFETY: allocated with this layout, and given back once.
            unsafe { alloc::dealloc(base.as_ptr(), layout) };
        }
    }
}
