//! The IR core: bodies, op definitions, parser, printer, verifier, rewriter.
