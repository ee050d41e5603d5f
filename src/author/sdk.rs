//! Where a new policy gets the SDK from.

use std::path::{Path, PathBuf};

use super::Error;

/// The checkout that this executable was built from.
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
/// Where the SDK is published until a registry has it.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The SDK that a policy depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sdk {
    /// The folder of its crate.
    Path(PathBuf),
    /// A git repository that holds it, and the tag to take it at.
    Git(String, Option<String>),
}

impl Sdk {
    /// The SDK that was asked for, else the nearest.
    pub(super) fn find(wanted: Option<&str>) -> Result<Sdk, Error> {
        match wanted {
            Some(url) if url.contains("://") || url.starts_with("git@") => {
                Ok(Sdk::Git(url.to_owned(), None))
            }
            Some(path) => at(Path::new(path)).ok_or_else(|| Error::Sdk(path.to_owned())),
            None => Ok(at(Path::new(CHECKOUT))
                .unwrap_or_else(|| Sdk::Git(REPOSITORY.into(), Some(format!("v{VERSION}"))))),
        }
    }

    /// The members of a dependency in Cargo.toml. A JSON string is a string
    /// of TOML, too.
    pub(super) fn dependency(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Sdk::Path(folder) => format!("path = {}", quoted(&folder.to_string_lossy())),
            Sdk::Git(url, None) => format!("git = {}", quoted(url)),
            Sdk::Git(url, Some(tag)) => format!("git = {}, tag = {}", quoted(url), quoted(tag)),
        }
    }

    /// The versions that it was tested with.
    pub(super) fn lock(&self) -> Option<PathBuf> {
        match self {
            Sdk::Path(folder) => Some(folder.ancestors().nth(2)?.join("Cargo.lock")),
            Sdk::Git(..) => None,
        }
    }
}

impl std::fmt::Display for Sdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sdk::Path(folder) => write!(f, "{}", folder.display()),
            Sdk::Git(url, None) => f.write_str(url),
            Sdk::Git(url, Some(tag)) => write!(f, "{url} at {tag}"),
        }
    }
}

/// The SDK of a checkout, or this folder itself if it is one.
fn at(folder: &Path) -> Option<Sdk> {
    let folders = [folder.join("policies/sdk"), folder.to_owned()];
    let is_sdk = |folder: &&PathBuf| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("name = \"portcullis-sdk\""))
    };
    let found = folders.iter().find(is_sdk)?;
    Some(Sdk::Path(found.canonicalize().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_repository_and_anything_else_a_folder() {
        for url in [
            "https://example.org/p.git",
            "git@example.org:p.git",
            "file:///src/p",
        ] {
            let sdk = Sdk::find(Some(url)).expect("a repository");
            assert_eq!(sdk.dependency(), format!("git = \"{url}\""));
        }
        let sdk = Sdk::find(Some(CHECKOUT)).expect("this checkout");
        assert_eq!(
            sdk,
            Sdk::find(Some(&format!("{CHECKOUT}/policies/sdk"))).expect("itself")
        );
        assert_eq!(sdk.lock(), Some(Path::new(CHECKOUT).join("Cargo.lock")));
        let nowhere = Sdk::find(Some("/nowhere")).expect_err("no SDK");
        assert!(
            nowhere
                .to_string()
                .contains("`/nowhere` holds no policy SDK")
        );
    }

    #[test]
    fn a_folder_with_quotes_stays_one_string_of_toml() {
        let sdk = Sdk::Path(PathBuf::from("/a \"b\"/sdk"));
        assert_eq!(sdk.dependency(), r#"path = "/a \"b\"/sdk""#);
    }
}
