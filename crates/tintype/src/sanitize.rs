//! Sanitizers of the host compiler: libraries that watch themselves while they run.

use std::{fmt, str::FromStr};

use diag::{Diag, codes};

/// What a library watches for. Whoever loads it must have the sanitizer's runtime loaded before
/// anything else, such as by `LD_PRELOAD`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sanitizer {
    /// Memory that is not there, or no longer.
    Address,
    /// What C++ leaves undefined.
    Undefined,
    /// Threads that meet at memory without order. Each run then computes with one thread, since the
    /// OpenMP runtime's own order is not seen.
    Thread,
}

impl Sanitizer {
    /// All of them.
    pub const ALL: [Sanitizer; 3] = [Sanitizer::Address, Sanitizer::Undefined, Sanitizer::Thread];

    /// Its name, to the host compiler too.
    pub fn name(self) -> &'static str {
        match self {
            Sanitizer::Address => "address",
            Sanitizer::Undefined => "undefined",
            Sanitizer::Thread => "thread",
        }
    }

    /// The flags with which a library is linked that has them.
    pub(crate) fn link_flags(list: &[Sanitizer]) -> Vec<String> {
        let names: Vec<&str> = list.iter().map(|it| it.name()).collect();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!("-fsanitize={}", names.join(","))],
        }
    }

    /// The flags with which its code is compiled.
    pub(crate) fn flags(list: &[Sanitizer]) -> Vec<String> {
        let mut res = Sanitizer::link_flags(list);
        if res.is_empty() {
            return res;
        }
        res.extend([
            "-fno-sanitize-recover=all".to_owned(),
            "-fno-omit-frame-pointer".to_owned(),
            "-g1".to_owned(),
        ]);
        if list.contains(&Sanitizer::Thread) {
            res.push("-fno-openmp".to_owned());
        }
        res
    }
}

impl fmt::Display for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Sanitizer {
    type Err = Diag;

    fn from_str(name: &str) -> Result<Sanitizer, Diag> {
        let found = Sanitizer::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| Diag::error(&codes::USAGE, format!("there is no sanitizer `{name}`")))
    }
}
