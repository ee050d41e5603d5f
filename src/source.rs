//! Where policies and programs come from: files, and the built-in pack.
//!
//! Knows the file system and `manifest`; knows neither wasm nor what a policy
//! decides. Later sources (a ConfigMap, an OCI registry) get their room here.

use std::path::{Path, PathBuf};

use portcullis_manifest as manifest;

use crate::pack::{Pack, Profile};
use crate::policy::exemption::{self, Exemption, Origin};
use crate::policy::spec::{ProgramRef, Resource};
use crate::policy::{Cause, Failure};
use crate::wasm::MAX_COMPONENT_BYTES;

/// A `WasmPolicy` document that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The policy.
    pub resource: Resource,
    /// The folder of the file that holds it; `file:` programs are relative to
    /// it. None for the pack.
    pub folder: Option<PathBuf>,
    /// The file and line, for messages.
    pub place: String,
}

/// What files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Documents {
    /// Policies.
    pub policies: Vec<Found>,
    /// What namespaces are exempted from, as the operator of these files
    /// grants it.
    pub exemptions: Vec<Exemption>,
}

/// Why policies could not be read: every fault, each with its place.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Error(Vec<String>);

/// The policies of a profile and of files and folders; one of a file takes
/// the place of one of the pack that has the same name.
///
/// # Errors
///
/// All documents that are no `WasmPolicy`, all files that cannot be read, and
/// two policies of one name.
pub fn policies(pack: &Pack, profile: Profile, paths: &[PathBuf]) -> Result<Vec<Found>, Error> {
    Ok(documents(pack, profile, paths)?.policies)
}

/// The same, with the PolicyExemptions that are in files.
///
/// # Errors
///
/// As for [`policies`], and all documents that are no PolicyExemption though
/// they say so.
pub fn documents(pack: &Pack, profile: Profile, paths: &[PathBuf]) -> Result<Documents, Error> {
    let mut found = of_pack(pack, profile)?;
    let own = of_paths(paths)?;
    found.policies.retain(|builtin| {
        own.policies
            .iter()
            .all(|own| own.resource.name != builtin.resource.name)
    });
    found.policies.extend(own.policies);
    found.exemptions.extend(own.exemptions);
    Ok(found)
}

fn of_pack(pack: &Pack, profile: Profile) -> Result<Documents, Error> {
    let mut reading = Reading::default();
    for (name, text) in pack.profile(profile) {
        reading.read(text.as_bytes(), &format!("pack: {name}"), None);
    }
    reading.finish()
}

fn of_paths(paths: &[PathBuf]) -> Result<Documents, Error> {
    let mut reading = Reading::default();
    for path in paths {
        match files(path) {
            Ok(files) if files.is_empty() => reading.faults.push(format!(
                "{}: the folder holds no .yaml, .yml or .json file with a WasmPolicy",
                path.display()
            )),
            Ok(files) => files.iter().for_each(|file| reading.read_file(file)),
            Err(error) => reading.faults.push(format!("{}: {error}", path.display())),
        }
    }
    reading.finish()
}

/// A file itself; of a folder its manifests, by name, without descending:
/// policies are a flat list, and a mounted ConfigMap has folders of its own.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let is_manifest = file.extension().is_some_and(|extension| {
            ["yaml", "yml", "json"]
                .iter()
                .any(|known| extension == *known)
        });
        if is_manifest && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[derive(Default)]
struct Reading {
    found: Vec<Found>,
    exemptions: Vec<Exemption>,
    faults: Vec<String>,
}

impl Reading {
    fn read_file(&mut self, file: &Path) {
        let folder = file.parent().map(Path::to_owned);
        match std::fs::read(file) {
            Ok(text) => self.read(&text, &file.display().to_string(), folder),
            Err(error) => self.faults.push(format!("{}: {error}", file.display())),
        }
    }

    fn read(&mut self, text: &[u8], name: &str, folder: Option<PathBuf>) {
        let stream = manifest::read(text);
        for broken in stream.broken {
            let (line, column) = (broken.position.line, broken.position.column);
            self.faults
                .push(format!("{name}:{line}:{column}: {}", broken.message));
        }
        for skipped in stream.skipped {
            let problem = "this is no WasmPolicy: move it out of what `--policies` names";
            self.faults
                .push(format!("{name}:{}: {problem}", skipped.line));
        }
        for object in stream.objects {
            if exemption::is_one(&object.value) {
                self.exemption(&object, name);
                continue;
            }
            match Resource::parse(&object.value) {
                Ok(resource) => {
                    let place = format!("{name}:{}", object.position("").line);
                    self.found.push(Found {
                        resource,
                        folder: folder.clone(),
                        place,
                    });
                }
                Err(error) => {
                    let manifest::Position { line, column } = object.position(&error.pointer);
                    self.faults.push(format!("{name}:{line}:{column}: {error}"));
                }
            }
        }
    }

    fn exemption(&mut self, object: &manifest::Object, name: &str) {
        match Exemption::parse(&object.value) {
            Ok(exemption) => {
                let origin = origin(object, name);
                let same = |other: &&Exemption| other.path() == exemption.path();
                if self.exemptions.iter().any(|other| same(&other)) {
                    self.faults.push(format!(
                        "{name}:{}: a PolicyExemption `{}` is there already: rename or remove one \
                         of them",
                        origin.position.0,
                        exemption.path()
                    ));
                }
                self.exemptions.push(Exemption {
                    origin: Some(origin),
                    ..exemption
                });
            }
            Err(error) => {
                let manifest::Position { line, column } = object.position(&error.pointer);
                self.faults.push(format!("{name}:{line}:{column}: {error}"));
            }
        }
    }

    fn finish(mut self) -> Result<Documents, Error> {
        for (index, found) in self.found.iter().enumerate() {
            let same = |other: &&Found| other.resource.name == found.resource.name;
            if let Some(first) = self.found[..index].iter().find(same) {
                self.faults.push(format!(
                    "{}: a policy named `{}` is also at {}: rename or remove one of them",
                    found.place, found.resource.name, first.place
                ));
            }
        }
        if self.faults.is_empty() {
            Ok(Documents {
                policies: self.found,
                exemptions: self.exemptions,
            })
        } else {
            Err(Error(self.faults))
        }
    }
}

/// Where a document of a file is.
pub fn origin(object: &manifest::Object, file: &str) -> Origin {
    let manifest::Position { line, column } = object.position("");
    Origin {
        file: file.to_owned(),
        document: object.document,
        item: object.item,
        position: (line, column),
    }
}

/// The bytes of a program.
///
/// # Errors
///
/// A name that the pack does not hold, with those it does; a file that cannot
/// be read or is too large.
pub fn program(pack: &Pack, found: &Found) -> Result<Vec<u8>, Failure> {
    let source = |message: String| Failure::host(Cause::Source, message);
    match &found.resource.spec.program {
        ProgramRef::Builtin(name) => builtin(pack, name),
        ProgramRef::File(path) => {
            let folder = found.folder.clone().unwrap_or_default();
            let path = folder.join(path);
            read_bounded(&path).map_err(|error| source(format!("{}: {error}", path.display())))
        }
        ProgramRef::ConfigMap(place) => Err(source(format!(
            "the program is in the ConfigMap `{}`, which only `portcullis serve --cluster` reads: \
             name a copy on disk with `file`, or a `builtin`",
            place.object()
        ))),
    }
}

/// The bytes of a program of the pack.
///
/// # Errors
///
/// A name that the pack does not hold, with those it does.
pub fn builtin(pack: &Pack, name: &str) -> Result<Vec<u8>, Failure> {
    pack.program(name).map(<[u8]>::to_vec).ok_or_else(|| {
        let known: Vec<&str> = pack.programs.iter().map(|(name, _)| *name).collect();
        let known = known.join("`, `");
        let message = format!("there is no built-in program `{name}`: the pack holds `{known}`");
        Failure::host(Cause::Source, message)
    })
}

/// A component, or as much of a larger file as shows that it is none.
pub(crate) fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    // One byte more than is loaded, so that the loader refuses it by size.
    let most = u64::try_from(MAX_COMPONENT_BYTES + 1).unwrap_or(u64::MAX);
    std::fs::File::open(path)?
        .take(most)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
