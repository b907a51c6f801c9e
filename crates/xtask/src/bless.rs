//! Accepting what tests found.

use anyhow::Result;

use crate::repo;

/// What to bless.
#[derive(clap::Args)]
pub(crate) struct Bless {
    /// Only the tests of this crate.
    #[arg(long, short)]
    package: Option<String>,
    /// Only tests whose name has this in it.
    filter: Option<String>,
}

/// Runs the tests so that each writes what it found: IR texts and snapshots alike.
pub(crate) fn run(bless: &Bless) -> Result<()> {
    let mut cargo = repo::cargo();
    cargo.env("BLESS", "1").env("INSTA_UPDATE", "always").arg("test");
    match &bless.package {
        Some(it) => cargo.args(["--package", it]),
        None => cargo.args(["--workspace", "--no-fail-fast"]),
    };
    cargo.args(&bless.filter);
    repo::run(&mut cargo)?;
    println!("Look at the difference before you commit it: git diff");
    Ok(())
}
