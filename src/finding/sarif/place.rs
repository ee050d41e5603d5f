//! Places as SARIF names them.

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::Finding;
use crate::policy::decision::plain;

/// What relative places are relative to.
pub(super) const BASE: &str = "SRCROOT";
/// How `check` names standard input.
const STDIN: &str = "-";

/// The working directory.
#[derive(Clone, Copy)]
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl Folder<'_> {
    /// Where a finding is: in the file, and in the object.
    pub(super) fn of_finding(self, finding: &Finding) -> Value {
        let place = &finding.place;
        let width = finding.excerpt.as_ref().map(|excerpt| excerpt.width);
        let mut location = match &place.file {
            Some(file) => self.location(file, Some(place.line), Some(place.column), width),
            None => json!({}),
        };
        let object = plain(&finding.object.path());
        let mut logical = vec![json!({
            "name": plain(&finding.object.name), "fullyQualifiedName": object, "kind": "resource",
        })];
        if let Some(container) = &finding.container {
            let name = plain(container);
            let qualified = format!("{object}/{name}");
            logical
                .push(json!({"name": name, "fullyQualifiedName": qualified, "kind": "container"}));
        }
        location["logicalLocations"] = logical.into();
        location
    }

    /// A place in a file: line and column from 1, the width in characters.
    pub(super) fn location(
        self,
        file: &str,
        line: Option<u32>,
        column: Option<u32>,
        width: Option<u32>,
    ) -> Value {
        let mut physical = json!({"artifactLocation": self.artifact(file)});
        let known = |number: Option<u32>| number.filter(|number| *number > 0);
        if let Some(line) = known(line) {
            let mut region = Map::new();
            region.insert("startLine".into(), line.into());
            region.insert("endLine".into(), line.into());
            if let Some(column) = known(column) {
                region.insert("startColumn".into(), column.into());
                if let Some(width) = width {
                    region.insert("endColumn".into(), column.saturating_add(width).into());
                }
            }
            physical["region"] = region.into();
        }
        json!({"physicalLocation": physical})
    }

    /// A file: relative to the folder where it is below it, else absolute.
    fn artifact(self, file: &str) -> Value {
        if file == STDIN {
            return json!({"uri": STDIN, "description": {"text": "standard input"}});
        }
        let absolute = normal(&self.0.join(file));
        match absolute.strip_prefix(normal(self.0)) {
            Ok(below) => json!({"uri": encoded(below), "uriBaseId": BASE}),
            Err(_) => json!({"uri": format!("file://{}", encoded(&absolute))}),
        }
    }
}

/// Without `.` and `..`, by the text alone: links are not followed.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Percent-encoded: all but unreserved characters (RFC 3986, 2.3) and `/`.
fn encoded(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_relative_where_they_can_be_and_always_encoded() {
        let folder = Folder(Path::new("/work/a repo"));
        for (file, uri, relative) in [
            ("deploy/web.yaml", "deploy/web.yaml", true),
            ("./deploy/../web.yaml", "web.yaml", true),
            ("/work/a repo/x/ü#?.yaml", "x/%C3%BC%23%3F.yaml", true),
            ("a:b 100%.yaml", "a%3Ab%20100%25.yaml", true),
            ("../other/web.yaml", "file:///work/other/web.yaml", false),
            ("/tmp/a b.yaml", "file:///tmp/a%20b.yaml", false),
            (
                "/work/a repository/web.yaml",
                "file:///work/a%20repository/web.yaml",
                false,
            ),
            ("-", "-", false),
        ] {
            let artifact = folder.artifact(file);
            assert_eq!(artifact["uri"], uri, "{file}");
            assert_eq!(artifact["uriBaseId"] == BASE, relative, "{file}");
        }
    }
}
