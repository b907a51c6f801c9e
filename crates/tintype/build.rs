//! Compiles the container, which is the same in every model, so that nobody waits for it when a
//! model is compiled. Without a host compiler the list is empty, and it is compiled with the model.

#[path = "../emit/cxx/host/files.rs"]
#[expect(unreachable_pub, reason = "it is a module of the emit crate, where it is reached")]
mod files;

use std::{env, error::Error, fs, path::Path, sync::Arc};

use toolchain::{Compiler, Header, Toolchain, Unit};

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo is told by lines on standard output.
    println!("cargo:rerun-if-changed=../emit/cxx/host");
    println!("cargo:rerun-if-env-changed=CXX");
    let out = env::var("OUT_DIR")?;
    let mut list = String::from("&[\n");
    if let Ok(compiler) = Compiler::find() {
        let headers: Arc<[Header]> = files::HEADERS
            .iter()
            .chain(files::PRIVATE_HEADERS)
            .map(|(name, text)| Header::new(*name, text))
            .collect();
        let unit = |it: &files::File| Unit {
            name: it.0.to_owned(),
            source: it.1.as_bytes().to_vec(),
            headers: Arc::clone(&headers),
            flags: files::FLAGS.iter().map(|it| (*it).to_owned()).collect(),
        };
        let units: Vec<Unit> = files::UNITS.iter().map(unit).collect();
        for object in Toolchain::new(compiler, None).compile(&units)? {
            let path = Path::new(&out).join(format!("{}.o", object.name));
            fs::write(&path, &object.bytes)?;
            list.push_str(&format!("    ({:?}, include_bytes!({path:?})),\n", object.name));
        }
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("container_objects.rs"), list)?;
    // The linker's script is text of the library itself.
    let _ = files::EXPORTS;
    Ok(())
}
