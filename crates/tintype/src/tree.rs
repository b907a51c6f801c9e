//! A model as a folder of sources that builds where there is no Tintype.
//!
//! ```text
//! CMakeLists.txt   what is compiled with which flags
//! host.cpp         the host program
//! kernels_*.cpp    its kernels, and the shared ones it calls
//! container/       the entry points, the same for every model
//! include/         headers
//! constants.bin    weights
//! append.cpp       puts them behind the library
//! ```

use std::{fmt::Write, fs::File, io::BufWriter, io::Write as _, path::Path};

use emit::container;
use package::Blob;
use toolchain::TargetCpu;

use crate::{
    Failure,
    files::NewFolder,
    sources::{Role, Source, flags, headers},
};

const APPEND: &str = include_str!("cmake/append.cpp");

/// What goes into the folder.
pub(crate) struct Tree<'a> {
    /// The model's name.
    pub(crate) name: &'a str,
    pub(crate) sources: &'a [Source],
    pub(crate) cpu: &'a TargetCpu,
}

impl Tree<'_> {
    /// Writes the folder, which appears complete.
    pub(crate) fn write(&self, path: &Path, blob: &Blob<'_>) -> Result<(), Failure> {
        let write = || -> std::io::Result<()> {
            let folder = NewFolder::new(path)?;
            let put = |name: &str, text: &str| std::fs::write(folder.file(name)?, text);
            put("CMakeLists.txt", &self.cmake(blob))?;
            for source in self.sources {
                put(&file_name(source), &source.text)?;
            }
            for (name, text) in headers() {
                put(&format!("include/{name}"), text)?;
            }
            put("exports.map", container::EXPORTS)?;
            if blob.size() != 0 {
                put("append.cpp", APPEND)?;
                let mut out = BufWriter::new(File::create(folder.file("constants.bin")?)?);
                blob.write_to(&mut out)?;
                out.flush()?;
            }
            folder.finish()
        };
        write().map_err(|error| Failure::io(path, &error))
    }

    fn cmake(&self, blob: &Blob<'_>) -> String {
        let name = target_name(self.name);
        let list = |role: Role| {
            let files = self.sources.iter().filter(|it| it.role == role);
            files.map(|it| format!("  {}\n", file_name(it))).collect::<String>()
        };
        // The optimisation level is one of the flags that each file has, so that no build type is.
        let options = |role: Role| flags(role, self.cpu).join(" ");
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "# Builds the model library lib{name}.so: cmake -B build && cmake --build build\n\
             #\n\
             # PyTorch loads it with torch._inductor, Tintype's runtime by itself. Needs nothing\n\
             # but a C++17 compiler with OpenMP.\n\
             cmake_minimum_required(VERSION 3.16)\n\
             project({name} CXX)\n\
             set(CMAKE_CXX_STANDARD 17)\n\
             set(CMAKE_CXX_STANDARD_REQUIRED ON)\n\
             set(CMAKE_CXX_EXTENSIONS OFF)\n\
             \n\
             set(CONTAINER\n{})\n\
             set(HOST\n{})\n\
             set(KERNELS\n{})\n\
             set_source_files_properties(${{CONTAINER}} PROPERTIES COMPILE_OPTIONS \"{}\")\n\
             set_source_files_properties(${{HOST}} PROPERTIES COMPILE_OPTIONS \"{}\")\n\
             set_source_files_properties(${{KERNELS}} PROPERTIES COMPILE_OPTIONS \"{}\")\n\
             \n\
             add_library({name} SHARED ${{CONTAINER}} ${{HOST}} ${{KERNELS}})\n\
             target_include_directories({name} PRIVATE include)\n\
             target_compile_options({name} PRIVATE -fopenmp -fvisibility=hidden\n\
             \x20 -ffp-contract=off -fno-math-errno -fno-semantic-interposition\n\
             \x20 -ffunction-sections -fdata-sections)\n\
             target_link_options({name} PRIVATE -fopenmp -Wl,--as-needed -Wl,--gc-sections\n\
             \x20 -Wl,-z,defs -Wl,--version-script=${{CMAKE_CURRENT_SOURCE_DIR}}/exports.map)\n\
             target_link_libraries({name} PRIVATE pthread dl m)\n",
            list(Role::Container),
            list(Role::Host),
            list(Role::Kernels),
            options(Role::Container).replace(' ', ";"),
            options(Role::Host).replace(' ', ";"),
            options(Role::Kernels).replace(' ', ";"),
        );
        if blob.size() != 0 {
            let _ = write!(
                text,
                "\n\
                 # The weights lie behind the library, where they are mapped from.\n\
                 add_executable(append append.cpp)\n\
                 add_dependencies({name} append)\n\
                 add_custom_command(TARGET {name} POST_BUILD\n\
                 \x20 COMMAND append $<TARGET_FILE:{name}>\n\
                 \x20         ${{CMAKE_CURRENT_SOURCE_DIR}}/constants.bin)\n"
            );
        }
        text
    }
}

fn file_name(source: &Source) -> String {
    match source.role {
        Role::Container => format!("container/{}", source.name),
        Role::Host | Role::Kernels => source.name.clone(),
    }
}

/// A name that CMake takes for a target, whatever the file was called.
fn target_name(name: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '_' { it } else { '_' };
    let name: String = name.chars().map(plain).collect();
    match name.starts_with(|it: char| it.is_ascii_alphabetic()) {
        true => name,
        false => format!("model_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_place_in_the_build() {
        assert_eq!(target_name("mlp-2 (copy)"), "mlp_2__copy_");
        assert_eq!(target_name("2\")\nexecute_process("), "model_2___execute_process_");
    }
}
