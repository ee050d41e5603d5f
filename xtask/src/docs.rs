//! `cargo xtask docs`: `docs/policies/`, a page for each built-in policy.
//!
//! The pages are what `portcullis policy show` prints, with a column for each
//! profile of the pack.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use portcullis::pack::{Pack, Profile};
use portcullis::page::{Column, sheet};
use portcullis::policy::Spec;
use portcullis::policy::spec::ProgramRef;
use portcullis::source;
use portcullis::wasm::inspect;

use crate::build;
use crate::shell::root;

const PROFILES: [&str; 3] = ["observe", "starter", "strict"];

const GENERATED: &str =
    "<!-- Made by `cargo xtask docs` from the policy itself: change its doc comments. -->\n\n";

/// Files of the folder: name and text.
type Pages = BTreeMap<String, String>;

/// Builds the policies, and writes a page for each of them.
pub(crate) fn docs(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`cargo xtask docs` takes nothing");
    build::policies()?;
    let (wanted, found, folder) = (wanted()?, found()?, folder());
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (name, text) in &wanted {
        if found.get(name) != Some(text) {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
            println!("wrote {}", path.display());
        }
    }
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        let path = folder.join(name);
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        println!("removed {}", path.display());
    }
    println!("{} pages in {}", wanted.len(), folder.display());
    Ok(())
}

fn folder() -> PathBuf {
    root().join("docs/policies")
}

/// The pages as they should be, of all programs in `target/policies`.
fn wanted() -> Result<Pages> {
    let profiles = profiles()?;
    let mut pages = Pages::new();
    let mut index = String::from(GENERATED);
    index.push_str(
        "# The built-in policies\n\n| policy | what it is for | codes |\n|---|---|---|\n",
    );
    for path in files(&root().join("target/policies"), "wasm")? {
        let place = || path.display().to_string();
        let bytes = std::fs::read(&path).with_context(place)?;
        let description = inspect(&bytes).with_context(place)?.description;
        let description = description.with_context(|| format!("{}: no description", place()))?;
        let name = &description.name;
        let codes = description
            .codes
            .iter()
            .map(|code| format!("`{}`", code.code));
        let codes = codes.collect::<Vec<_>>().join(", ");
        let summary = &description.summary;
        let _ = writeln!(index, "| [{name}]({name}.md) | {summary} | {codes} |");
        let columns = PROFILES.map(|heading| Column {
            heading,
            spec: profiles[heading].get(name),
        });
        let page = sheet(&description, &description.matches, &columns);
        pages.insert(format!("{name}.md"), format!("{GENERATED}{page}"));
    }
    ensure!(
        !pages.is_empty(),
        "no policy is built: run `cargo xtask build`"
    );
    pages.insert("README.md".into(), index);
    Ok(pages)
}

/// The documents of each profile, by the built-in program that they name.
fn profiles() -> Result<BTreeMap<&'static str, BTreeMap<String, Spec>>> {
    let documents = |profile: &'static str| {
        let folder = root().join("pack").join(profile);
        let folders = [folder.join("effects"), folder];
        let found = source::policies(&Pack::EMPTY, Profile::None, &folders)?;
        let specs = found.into_iter().filter_map(|found| {
            let spec = found.resource.spec;
            match &spec.program {
                ProgramRef::Builtin(name) => Some((name.clone(), spec)),
                ProgramRef::File(_) | ProgramRef::ConfigMap(_) => None,
            }
        });
        Ok((profile, specs.collect()))
    };
    PROFILES.into_iter().map(documents).collect()
}

/// The pages as they are.
fn found() -> Result<Pages> {
    if !folder().is_dir() {
        return Ok(Pages::new());
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.file_name().unwrap_or_default();
        Ok((name.to_string_lossy().into_owned(), text))
    };
    files(&folder(), "md")?.into_iter().map(read).collect()
}

/// Files of this extension, in order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let place = || format!("{}: run `cargo xtask build`", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_pages_in_docs_policies_are_what_the_policies_say() {
        let (wanted, found) = (wanted().expect("policies"), found().expect("pages"));
        let mut stale: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
        stale.retain(|name| wanted.get(*name) != found.get(*name));
        assert!(
            stale.is_empty(),
            "docs/policies: {stale:?} are stale: run `cargo xtask docs` and commit what it writes"
        );
    }

    #[test]
    fn every_policy_has_a_page_with_a_row_for_each_code_and_profile() {
        let pages = wanted().expect("policies");
        for name in build::names().expect("policies") {
            let page = &pages[&format!("{name}.md")];
            assert!(page.contains("| code | level | observe | starter | strict | meaning |"));
            assert!(
                pages["README.md"].contains(&format!("[{name}]({name}.md)")),
                "{name}"
            );
        }
    }
}
