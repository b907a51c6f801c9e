//! What can be wrong with an archive, and where.
//!
//! Every variant names its place: a member of the zip (`outer.pt!data.pkl` for one inside
//! another), a JSON path, or the fully qualified name (FQN) of a weight.

use std::{error::Error, fmt};

/// Why an archive cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImportError {
    /// The file is not a zip, or its directory is damaged.
    Container {
        /// The zip: empty for the file itself, a member's name for one inside it.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A member of the zip is not acceptable.
    Member {
        /// Its name.
        member: String,
        /// What is wrong with it.
        fault: MemberFault,
    },
    /// A zip, but not an archive of `torch.export.save`.
    NotAnExport {
        /// What is missing.
        reason: String,
    },
    /// A member that must be there is not.
    MissingMember {
        /// Its name.
        member: String,
    },
    /// The schema's major version is not the one this crate reads.
    SchemaVersion {
        /// What the archive says.
        major: i64,
        /// What the archive says.
        minor: i64,
    },
    /// JSON that does not parse, or does not fit the schema.
    Json {
        /// The member.
        member: String,
        /// The value, as `graph_module.graph.nodes[3].target`.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pickle that is damaged, or uses what is not read.
    Pickle {
        /// The member.
        member: String,
        /// The offset of the opcode.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A pickle asks for a Python object outside the list of harmless ones.
    PickleGlobal {
        /// The member.
        member: String,
        /// The Python name, `module.name`.
        global: String,
    },
    /// The program uses a weight that the archive does not hold.
    MissingWeight {
        /// Its name.
        fqn: String,
    },
    /// A weight's view reaches past the bytes stored for it.
    ShortWeight {
        /// Its name.
        fqn: String,
        /// The member that holds its bytes.
        member: String,
        /// How many bytes the view needs; the maximum where that does not fit.
        need: u64,
        /// How many there are.
        have: u64,
    },
    /// A weight's description contradicts itself or the program.
    BadWeight {
        /// Its name.
        fqn: String,
        /// The contradiction.
        reason: String,
    },
}

/// What is wrong with a member of a zip.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "`Display` says it")]
pub enum MemberFault {
    ClimbsOut,
    NotUtf8,
    Duplicate,
    Overlaps { other: String },
    Encrypted,
    Method(u16),
    TooLarge { size: u64, limit: u64 },
    Damaged(&'static str),
    BigEndian,
}

impl ImportError {
    /// A stable word for the kind of error, for tests and tools.
    pub fn kind(&self) -> &'static str {
        match self {
            ImportError::Container { .. } => "container",
            ImportError::Member { .. } => "member",
            ImportError::NotAnExport { .. } => "not-an-export",
            ImportError::MissingMember { .. } => "missing-member",
            ImportError::SchemaVersion { .. } => "schema-version",
            ImportError::Json { .. } => "json",
            ImportError::Pickle { .. } => "pickle",
            ImportError::PickleGlobal { .. } => "pickle-global",
            ImportError::MissingWeight { .. } => "missing-weight",
            ImportError::ShortWeight { .. } => "short-weight",
            ImportError::BadWeight { .. } => "bad-weight",
        }
    }

    pub(crate) fn member(member: impl Into<String>, fault: MemberFault) -> ImportError {
        ImportError::Member { member: member.into(), fault }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Container { place, reason } if place.is_empty() => {
                write!(f, "not a readable zip archive: {reason}")
            }
            ImportError::Container { place, reason } => {
                write!(f, "member `{}` is not a readable zip archive: {reason}", Text(place))
            }
            ImportError::Member { member, fault } => {
                write!(f, "member `{}` {fault}", Text(member))
            }
            ImportError::NotAnExport { reason } => {
                write!(f, "not an archive of torch.export.save: {reason}")
            }
            ImportError::MissingMember { member } => {
                write!(f, "the archive has no member `{}`", Text(member))
            }
            ImportError::SchemaVersion { major, minor } => write!(
                f,
                "the archive has schema version {major}.{minor}; this importer reads {}.x",
                crate::SCHEMA_MAJOR
            ),
            ImportError::Json { member, path, reason } => {
                write!(f, "member `{}`, at `{}`: {}", Text(member), Text(path), Text(reason))
            }
            ImportError::Pickle { member, at, reason } => {
                write!(f, "pickle `{}`, at byte {at}: {}", Text(member), Text(reason))
            }
            ImportError::PickleGlobal { member, global } => write!(
                f,
                "pickle `{}` asks for `{}`, which is not on the list of types that are read",
                Text(member),
                Text(global)
            ),
            ImportError::MissingWeight { fqn } => {
                write!(
                    f,
                    "the program uses weight `{}`, which the archive does not hold",
                    Text(fqn)
                )
            }
            ImportError::ShortWeight { fqn, member, need, have } => write!(
                f,
                "weight `{}` needs {need} bytes of `{}`, which has {have}",
                Text(fqn),
                Text(member)
            ),
            ImportError::BadWeight { fqn, reason } => {
                write!(f, "weight `{}`: {}", Text(fqn), Text(reason))
            }
        }
    }
}

impl Error for ImportError {}

impl fmt::Display for MemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemberFault::ClimbsOut => f.write_str("has a name that is not a plain relative path"),
            MemberFault::NotUtf8 => f.write_str("has a name that is not UTF-8"),
            MemberFault::Duplicate => f.write_str("is there twice"),
            MemberFault::Overlaps { other } => {
                write!(f, "shares bytes of the file with `{}`", Text(other))
            }
            MemberFault::Encrypted => f.write_str("is encrypted"),
            MemberFault::Method(method) => {
                write!(f, "is compressed by method {method}; only stored and deflated are read")
            }
            MemberFault::TooLarge { size, limit } => {
                write!(f, "says it has {size} bytes, more than the {limit} allowed here")
            }
            MemberFault::Damaged(what) => write!(f, "is damaged: {what}"),
            MemberFault::BigEndian => f.write_str("says the weights are not little-endian"),
        }
    }
}

/// Text of the sender's making: cut where it is long, with control characters escaped, so that a
/// message stays one line whatever an archive says.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 400;
        for (count, c) in self.0.chars().enumerate() {
            if count == LONGEST {
                return f.write_str("…");
            }
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_one_line() {
        let global = format!("os\n\u{1b}[2J{}", "x".repeat(1000));
        let message = ImportError::PickleGlobal { member: "m".into(), global }.to_string();
        assert!(message.starts_with("pickle `m` asks for `os\\n\\u{1b}[2Jxxx"));
        assert!(message.chars().count() < 600);
    }
}
