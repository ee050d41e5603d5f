//! What the image is made of: crates and packages of the system.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::Arch;
use super::contents::{BINARY, Part};
use crate::build;
use crate::shell::{cargo, command, output};

/// Something with a version of its own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression, where it is known.
    pub(super) license: Option<String>,
    /// A package URL (github.com/package-url/purl-spec).
    pub(super) purl: String,
}

/// Crates of the binary and of the policies in it, and packages that the other
/// files are from.
pub(super) fn of(arch: Arch, contents: &[Part]) -> Result<BTreeSet<Component>> {
    let mut components = crates("portcullis", arch.target())?;
    for policy in build::names()? {
        components.extend(crates(&policy, build::TARGET)?);
    }
    for part in contents.iter().filter(|part| part.path != BINARY) {
        components.insert(package(&part.origin)?);
    }
    Ok(components)
}

/// What a crate is compiled from; what runs while it is built is not in it.
fn crates(package: &str, target: &str) -> Result<BTreeSet<Component>> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        package,
        "--target",
        target,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}|{l}",
    ];
    let tree = output(&mut cargo(&arguments))?;
    Ok(tree.lines().filter_map(component).collect())
}

/// `serde v1.0.229|MIT OR Apache-2.0`; a macro runs at build time.
fn component(line: &str) -> Option<Component> {
    let (package, license) = line.split_once('|')?;
    if package.contains("(proc-macro)") {
        return None;
    }
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some(Component {
        name: name.to_owned(),
        version: version.to_owned(),
        license: (!license.is_empty()).then(|| license.replace('/', " OR ")),
        purl: format!("pkg:cargo/{name}@{version}"),
    })
}

/// The Debian package that a file is from.
fn package(file: &Path) -> Result<Component> {
    let name = owner(file)?;
    let version = output(&mut command(
        "dpkg-query",
        &["-W", "-f", "${Version}", &name],
    ))?;
    let short = name.split(':').next().unwrap_or_default().to_owned();
    Ok(Component {
        purl: format!("pkg:deb/debian/{short}@{version}"),
        name: short,
        version,
        license: None,
    })
}

/// Its name, as dpkg knows it; what a package makes when it is installed, as
/// the one file of all certificates, belongs to none.
fn owner(file: &Path) -> Result<String> {
    if file.ends_with("ca-certificates.crt") {
        return Ok("ca-certificates".to_owned());
    }
    let real = file.canonicalize()?;
    // Where /lib is a link to /usr/lib, packages may name either.
    let names = [file.to_owned(), real.clone()];
    let short = real
        .strip_prefix("/usr")
        .map(|rest| Path::new("/").join(rest));
    for name in names.into_iter().chain(short) {
        if let Ok(found) = output(command("dpkg", &["-S"]).arg(&name)) {
            let package = found.rsplit_once(": ").map(|(package, _)| package);
            return Ok(package.unwrap_or_default().to_owned());
        }
    }
    anyhow::bail!(
        "no Debian package owns {}: the SBOM would not be whole",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_told_with_version_and_license_and_macros_are_left_out() {
        let found = component("itoa v1.0.18|MIT OR Apache-2.0").unwrap();
        assert_eq!(found.purl, "pkg:cargo/itoa@1.0.18");
        assert_eq!(found.license.as_deref(), Some("MIT OR Apache-2.0"));
        let own = component("portcullis v0.1.0 (/src/portcullis)|Apache-2.0").unwrap();
        assert_eq!(
            (own.name.as_str(), own.version.as_str()),
            ("portcullis", "0.1.0")
        );
        assert_eq!(component("serde_derive v1.0.229 (proc-macro)|MIT"), None);
    }
}
