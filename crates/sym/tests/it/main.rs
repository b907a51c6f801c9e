//! Tests of sizes through the public interface.

#[cfg(test)]
mod cpp;
#[cfg(test)]
mod named;
#[cfg(test)]
mod random;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod whole;
