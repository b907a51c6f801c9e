//! Target CPUs.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// What machine to compile for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum TargetCpu {
    /// The machine the compiler runs on.
    #[default]
    Native,
    /// Every machine of this architecture: no `-march` at all.
    Baseline,
    /// A microarchitecture level of x86-64: 2, 3 or 4.
    Level(u8),
    /// A CPU by the compiler's name for it: `znver4`, `armv8.2-a`.
    Named(String),
}

/// A name that cannot be a target CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTargetCpuError(String);

impl fmt::Display for ParseTargetCpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a target CPU: expected native, baseline, x86-64-v2, x86-64-v3, \
             x86-64-v4, or a name of the compiler's (letters, digits, '-', '.', '+', '_')",
            self.0
        )
    }
}

impl std::error::Error for ParseTargetCpuError {}

impl FromStr for TargetCpu {
    type Err = ParseTargetCpuError;

    fn from_str(text: &str) -> Result<TargetCpu, ParseTargetCpuError> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | '_');
        match text {
            "native" => Ok(TargetCpu::Native),
            "baseline" | "x86-64" => Ok(TargetCpu::Baseline),
            "x86-64-v2" => Ok(TargetCpu::Level(2)),
            "x86-64-v3" => Ok(TargetCpu::Level(3)),
            "x86-64-v4" => Ok(TargetCpu::Level(4)),
            // It becomes part of a flag, never a flag of its own.
            _ if !text.is_empty() && text.chars().all(is_name) => {
                Ok(TargetCpu::Named(text.to_string()))
            }
            _ => Err(ParseTargetCpuError(text.to_string())),
        }
    }
}

impl fmt::Display for TargetCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetCpu::Native => f.write_str("native"),
            TargetCpu::Baseline => f.write_str("baseline"),
            TargetCpu::Level(level) => write!(f, "x86-64-v{level}"),
            TargetCpu::Named(name) => f.write_str(name),
        }
    }
}

impl TargetCpu {
    /// The compiler's flags for it.
    pub fn flags(&self) -> Vec<String> {
        match self {
            TargetCpu::Baseline => Vec::new(),
            cpu => vec![format!("-march={cpu}")],
        }
    }

    /// The highest x86-64 level this machine has (1 to 4); 0 on other architectures.
    pub fn host_level() -> u8 {
        #[cfg(target_arch = "x86_64")]
        {
            let v2 = is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("popcnt");
            let v3 = v2
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("movbe");
            let v4 = v3
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512cd")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            1 + u8::from(v2) + u8::from(v3) + u8::from(v4)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            0
        }
    }

    /// Whether this machine runs what is compiled for it; `None` where only the compiler knows.
    pub fn runs_here(&self) -> Option<bool> {
        match self {
            TargetCpu::Native | TargetCpu::Baseline => Some(true),
            TargetCpu::Level(level) => Some(*level <= TargetCpu::host_level()),
            TargetCpu::Named(_) => None,
        }
    }
}

/// What tells this machine's CPU from another: the lines of /proc/cpuinfo by
/// which compilers decide what "native" means.
pub(crate) fn host_identity() -> &'static str {
    static IDENTITY: OnceLock<String> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let first = info.split("\n\n").next().unwrap_or_default();
        let decides = |line: &&str| {
            ["vendor_id", "cpu family", "model", "flags", "CPU", "Features"]
                .iter()
                .any(|key| line.starts_with(key))
        };
        let mut lines: Vec<&str> = first.lines().filter(decides).collect();
        lines.push(std::env::consts::ARCH);
        lines.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["native", "baseline", "x86-64-v2", "x86-64-v4", "znver4", "armv8.2-a+fp16"] {
            assert_eq!(name.parse::<TargetCpu>().unwrap().to_string(), name);
        }
        assert_eq!("x86-64".parse(), Ok(TargetCpu::Baseline));
    }

    #[test]
    fn a_name_cannot_smuggle_a_flag() {
        for name in ["", "native -fplugin=x", "a b", "$(id)", "x\n"] {
            assert!(name.parse::<TargetCpu>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn flags_of_targets() {
        assert_eq!(TargetCpu::Level(3).flags(), ["-march=x86-64-v3"]);
        assert!(TargetCpu::Baseline.flags().is_empty());
    }
}
