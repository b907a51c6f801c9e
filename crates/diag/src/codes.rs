//! The kinds of diagnostics, numbered once and for all.

/// A kind of diagnostic.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct DiagCode {
    /// Its number, as people search for it.
    pub id: &'static str,
    /// What it means and what to do, in Markdown.
    pub doc: &'static str,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $NAME:ident = $id:literal;)+) => {
        $(
            $(#[doc = $doc])+
            pub static $NAME: DiagCode = DiagCode { id: $id, doc: concat!($($doc, "\n"),+) };
        )+
        /// Every code in order.
        pub static ALL: &[&DiagCode] = &[$(&$NAME),+];
    };
}

codes! {
    /// The archive cannot be read: it is no zip, is cut short, or has members that no archive has.
    ARCHIVE = "E0101";
    /// The archive's program does not follow the schema, or one of a major version that is unknown.
    SCHEMA = "E0102";
    /// A weight is missing, too short, or not where the archive says.
    WEIGHT = "E0103";
    /// A size expression of the archive does not parse.
    SIZE_EXPRESSION = "E0104";
    /// The model uses operators that are not supported. Each kind is listed with its count and the
    /// first Python line that uses it.
    UNSUPPORTED = "E0105";
    /// A pickled member asks for something other than tensors. It was not run.
    PICKLE = "E0106";
    /// IR text does not parse.
    PARSE = "E0201";
    /// An op is not well formed: operands, attributes or types do not fit its definition.
    OP = "E0202";
    /// A body is not well formed.
    BODY = "E0203";
    /// Something remains that the phase promised to remove.
    LEGALITY = "E0204";
    /// The exporter recorded another type than the operators give.
    TYPE_MISMATCH = "E0205";
    /// A pass failed or panicked; a file that reproduces it was written.
    PASS = "E0301";
    /// A pipeline names a pass or an option that does not exist.
    PIPELINE = "E0302";
    /// A pass changed a value.
    VALIDATE = "E0303";
    /// A question about sizes has no answer for every size in range.
    UNDECIDED_SIZE = "E0304";
    /// The host compiler is missing or refused the printed code.
    TOOLCHAIN = "E0401";
    /// A package or library cannot be read or written.
    PACKAGE = "E0402";
    /// Tensors given to a model do not fit its inputs.
    INPUT = "E0403";
    /// A file cannot be read or written.
    IO = "E0404";
    /// What a command was given makes no sense.
    USAGE = "E0405";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_sorted() {
        assert!(ALL.is_sorted_by(|a, b| a.id < b.id));
    }
}
