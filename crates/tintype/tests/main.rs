//! The binary, from outside: what it writes, what it says, how it exits.

// Clippy allows tests to unwrap, and takes for one what is behind `cfg(test)`.
#[cfg(test)]
mod checks;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod names;
#[cfg(test)]
mod numerics;
#[cfg(test)]
mod run;
#[cfg(test)]
mod state;
#[cfg(test)]
mod support;
