//! Tests of the `loops` dialect, from outside: texts in, values and messages out.

// Clippy takes for a test what is behind `cfg(test)`, and lets it unwrap.
#[cfg(test)]
mod access;
#[cfg(test)]
mod attention;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod product;
#[cfg(test)]
mod reduce;
#[cfg(test)]
mod sort;
#[cfg(test)]
mod support;
#[cfg(test)]
mod texts;
