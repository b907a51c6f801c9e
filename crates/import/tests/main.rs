//! Archives that PyTorch wrote, and archives that someone else made up.

mod damaged;
mod hostile_json;
mod hostile_pickle;
mod hostile_zip;
mod real;
mod support;
