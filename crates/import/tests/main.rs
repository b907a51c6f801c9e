//! Archives that PyTorch wrote, and archives that someone else made up.

// Clippy allows tests to unwrap, and takes for one what is behind `cfg(test)`.
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod hostile_json;
#[cfg(test)]
mod hostile_pickle;
#[cfg(test)]
mod hostile_zip;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
#[cfg(test)]
mod to_aten;
