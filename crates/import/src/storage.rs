//! Storages, the runs of bytes behind tensors, and views of them. A view that has been checked
//! touches no byte outside of its storage, whatever its strides.

use indexmap::IndexMap;

use crate::{Bytes, ImportError, pickle::RANK_LIMIT, schema::ScalarType};

/// The number of a storage, in the [`Storages`] that gave it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StorageId(pub u32);

/// A run of bytes that tensors are views of.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'s, 'a> {
    /// The member it is.
    pub member: &'s str,
    /// Little-endian elements, at no particular alignment.
    pub bytes: &'s Bytes<'a>,
}

/// A tensor as a view of a storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WeightRef {
    /// The storage. Two weights with one storage alias.
    pub storage: StorageId,
    /// The type of an element.
    pub dtype: ScalarType,
    /// The size of each dimension; none is negative.
    pub sizes: Vec<i64>,
    /// In elements, as many as sizes; none is negative. Views may be transposed, expanded
    /// (stride 0) or overlap themselves.
    pub strides: Vec<i64>,
    /// In elements; not negative.
    pub storage_offset: i64,
    /// Whether it is a parameter and not a buffer.
    pub is_param: bool,
    /// Whether it takes part in training.
    pub requires_grad: bool,
}

/// An expanded view may say more elements than its storage has. Who copies it out must not be made
/// to allocate more than this.
const EXPANDED_LIMIT: u64 = 4 << 30;

impl WeightRef {
    /// The number of elements.
    pub fn numel(&self) -> u64 {
        self.sizes
            .iter()
            .fold(1, |product: u64, &size| product.saturating_mul(u64::try_from(size).unwrap_or(0)))
    }

    /// Whether the elements lie side by side in order.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1i64;
        self.sizes.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected = expected.saturating_mul(size);
            fits
        }) || self.numel() == 0
    }

    /// The bytes from the storage's start to the end of the last element; 0 without elements.
    fn extent(&self) -> Result<u64, &'static str> {
        if self.sizes.len() != self.strides.len() {
            return Err("it has not as many strides as sizes");
        }
        if RANK_LIMIT < self.sizes.len() {
            return Err("it has too many dimensions");
        }
        let all = self.sizes.iter().chain(&self.strides).chain([&self.storage_offset]);
        if all.into_iter().any(|&number| number < 0) {
            return Err("a size, a stride or the offset is negative");
        }
        if self.sizes.contains(&0) {
            return Ok(0);
        }
        let dims = self.sizes.iter().zip(&self.strides);
        let last = dims.fold(self.storage_offset.unsigned_abs(), |last, (size, stride)| {
            let steps = size.unsigned_abs() - 1;
            last.saturating_add(steps.saturating_mul(stride.unsigned_abs()))
        });
        Ok(last.saturating_add(1).saturating_mul(self.dtype.bytes().into()))
    }
}

/// The storages of an archive, each there once.
#[derive(Clone, Default, Debug)]
pub struct Storages<'a> {
    // Keyed by member.
    all: IndexMap<String, Bytes<'a>>,
}

impl<'a> Storages<'a> {
    /// The storage of that number.
    pub fn get(&self, id: StorageId) -> Option<Storage<'_, 'a>> {
        let (member, bytes) = self.all.get_index(id.0 as usize)?;
        Some(Storage { member, bytes })
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = Storage<'_, 'a>> {
        self.all.iter().map(|(member, bytes)| Storage { member, bytes })
    }

    pub(crate) fn get_or_add(
        &mut self,
        member: &str,
        read: impl FnOnce() -> Result<Bytes<'a>, ImportError>,
    ) -> Result<StorageId, ImportError> {
        let index = match self.all.get_index_of(member) {
            Some(index) => index,
            None => self.all.insert_full(member.into(), read()?).0,
        };
        Ok(StorageId(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// Checks that a view stays in its storage.
    pub(crate) fn check(&self, fqn: &str, weight: &WeightRef) -> Result<(), ImportError> {
        let bad = |reason: &str| ImportError::BadWeight { fqn: fqn.into(), reason: reason.into() };
        let need = weight.extent().map_err(bad)?;
        let Some(Storage { member, bytes }) = self.get(weight.storage) else {
            return Err(bad("it has no storage"));
        };
        let have = bytes.len() as u64;
        if have < need {
            let (fqn, member) = (fqn.into(), member.into());
            return Err(ImportError::ShortWeight { fqn, member, need, have });
        }
        let expanded = weight.numel().saturating_mul(weight.dtype.bytes().into());
        if have.max(EXPANDED_LIMIT) < expanded {
            return Err(bad("it expands its storage to more elements than can be held"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sizes: &[i64], strides: &[i64], offset: i64) -> Result<(), ImportError> {
        let mut storages = Storages::default();
        let storage = storages.get_or_add("m", || Ok(Bytes::mapped(&[0; 24]))).unwrap();
        storages.check(
            "w",
            &WeightRef {
                storage,
                dtype: ScalarType::F32,
                sizes: sizes.into(),
                strides: strides.into(),
                storage_offset: offset,
                is_param: true,
                requires_grad: true,
            },
        )
    }

    #[test]
    fn views_stay_in_their_storage() {
        // Six elements: whole, transposed, expanded, overlapping, with an offset, empty.
        for (sizes, strides, offset) in [
            (&[2, 3][..], &[3, 1][..], 0),
            (&[3, 2], &[1, 3], 0),
            (&[1000, 3], &[0, 1], 3),
            (&[4, 3], &[1, 1], 0),
            (&[], &[], 5),
            (&[0, i64::MAX], &[i64::MAX, 1], 100),
        ] {
            assert_eq!(check(sizes, strides, offset), Ok(()), "{sizes:?} {strides:?} {offset}");
        }
        for (sizes, strides, offset, need) in [
            (&[2, 3][..], &[3, 1][..], 1, 28),
            (&[], &[], 6, 28),
            (&[2], &[i64::MAX], 0, u64::MAX),
            (&[i64::MAX, i64::MAX], &[i64::MAX, i64::MAX], i64::MAX, u64::MAX),
        ] {
            let short =
                ImportError::ShortWeight { fqn: "w".into(), member: "m".into(), need, have: 24 };
            assert_eq!(check(sizes, strides, offset), Err(short));
        }
        for (sizes, strides, offset) in [
            (&[2][..], &[][..], 0),
            (&[-1], &[1], 0),
            (&[2], &[-1], 3),
            (&[1], &[1], -1),
            (&[1 << 40, 1 << 40], &[0, 0], 0),
            (&[1; 65], &[1; 65], 0),
        ] {
            assert_eq!(check(sizes, strides, offset).unwrap_err().kind(), "bad-weight");
        }
    }
}
