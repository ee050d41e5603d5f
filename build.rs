//! Embeds the built-in pack: the programs that `cargo xtask build` made, and
//! the profiles in `pack/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let programs = root.join("target/policies");
    println!("cargo::rustc-env=PORTCULLIS_TARGET={}", variable("TARGET"));
    println!("cargo::rerun-if-changed=pack");
    println!("cargo::rerun-if-changed={}", programs.display());
    let table = match programs_table(&programs) {
        Some(table) => {
            let pack = root.join("pack");
            let profiles = profiles_table("PROFILES", &pack, "");
            table + &profiles + &profiles_table("EFFECTS", &pack, "effects")
        }
        // Only the binary includes this, so that the library, which xtask
        // needs to make the programs, builds without them.
        None => "compile_error!(\"the built-in policies are not built yet: \
                 run `cargo xtask build` first\");"
            .to_owned(),
    };
    let out = Path::new(&variable("OUT_DIR")).join("pack.rs");
    std::fs::write(&out, table).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

fn programs_table(folder: &Path) -> Option<String> {
    let files = files(folder, "wasm");
    if files.is_empty() {
        return None;
    }
    let mut table = String::from("static PROGRAMS: &[(&str, &[u8])] = &[\n");
    for (name, path) in files {
        let _ = writeln!(
            table,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        );
    }
    table.push_str("];\nstatic COMPILED: &[&[u8]] = &[\n");
    for (_, path) in self::files(folder, "code") {
        let path = path.display().to_string();
        let _ = writeln!(table, "    include_bytes!({path:?}),");
    }
    Some(table + "];\n")
}

fn profiles_table(table_name: &str, folder: &Path, within: &str) -> String {
    let mut table = format!("static {table_name}: &[(&str, &[(&str, &str)])] = &[\n");
    for profile in ["observe", "starter", "strict"] {
        let _ = writeln!(table, "    ({profile:?}, &[");
        for (name, path) in files(&folder.join(profile).join(within), "yaml") {
            let path = path.display().to_string();
            let _ = writeln!(table, "        ({name:?}, include_str!({path:?})),");
        }
        table.push_str("    ]),\n");
    }
    table + "];\n"
}

/// Files of this extension by stem, in order.
fn files(folder: &Path, extension: &str) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    files.sort();
    files
}
