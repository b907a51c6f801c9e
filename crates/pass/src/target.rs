//! The machine that is compiled for.

use std::fmt;

/// What passes may know of the machine. The toolchain fills it in; passes only read it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    /// How the user calls it, such as `native` or `x86-64-v4`.
    pub name: String,
    /// The widest vector instructions: `avx512`, `avx2` or `base`.
    pub isa: String,
    /// How many float32 lanes a vector has: 16 for `avx512`, 8 for `avx2`, 4 otherwise.
    pub lanes_f32: u32,
    /// How many threads to expect. A hint: what is printed runs with any number.
    pub threads_hint: u32,
    /// Bytes of second-level cache per core.
    pub l2_bytes: u64,
}

impl Default for Target {
    /// A machine that everything runs on.
    fn default() -> Target {
        Target::of_isa("base")
    }
}

impl Target {
    /// A typical machine with those vector instructions; unknown ones count as `base`.
    pub fn of_isa(isa: &str) -> Target {
        let (isa, lanes_f32) = match isa {
            "avx512" => ("avx512", 16),
            "avx2" => ("avx2", 8),
            _ => ("base", 4),
        };
        Target {
            name: isa.to_owned(),
            isa: isa.to_owned(),
            lanes_f32,
            threads_hint: 1,
            l2_bytes: 1 << 20,
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Target> {
        let mut res = Target::default();
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=')?;
            match key {
                "name" => res.name = value.to_owned(),
                "isa" => res.isa = value.to_owned(),
                "lanes" => res.lanes_f32 = value.parse().ok()?,
                "threads" => res.threads_hint = value.parse().ok()?,
                "l2" => res.l2_bytes = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(res)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { name, isa, lanes_f32, threads_hint, l2_bytes } = self;
        write!(f, "name={name} isa={isa} lanes={lanes_f32} threads={threads_hint} l2={l2_bytes}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back() {
        let target = Target { threads_hint: 7, ..Target::of_isa("avx2") };
        assert_eq!(Target::parse(&target.to_string()), Some(target));
        assert_eq!(Target::parse("name"), None);
        assert_eq!(Target::parse("lanes=many"), None);
    }
}
