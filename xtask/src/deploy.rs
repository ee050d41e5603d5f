//! `cargo xtask deploy`: what people apply without Helm, rendered by Helm from
//! the chart, so that there is one source for all of it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use portcullis_cluster::helm;

use crate::shell::root;

const GENERATED: &str = "# Made by `cargo xtask deploy` from deploy/chart: change it there.\n";

/// What is rendered, below `deploy/`, and with which values.
const RENDERED: [(&str, &[&str]); 2] = [
    ("install.yaml", &[]),
    ("kustomize/base/portcullis.yaml", &[]),
];

/// Renders everything.
pub(crate) fn deploy(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`cargo xtask deploy` takes nothing");
    let definition = definition_file();
    std::fs::write(&definition, definition_template())?;
    println!("{}", definition.display());
    for (file, values) in RENDERED {
        let path = root().join("deploy").join(file);
        std::fs::write(&path, render(values)?).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The chart as one text for `kubectl apply`, with these values besides those
/// that it has.
///
/// # Errors
///
/// Helm refuses it.
pub(crate) fn render(values: &[&str]) -> Result<String> {
    let options: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
    Ok(format!("{GENERATED}{}", helm::manifests(&options)?))
}

/// What `portcullis crd` prints, in the chart. Helm keeps it, and with it all
/// policies, when the chart is uninstalled; and it upgrades it, which it does
/// not do with what is in `crds/`.
pub(crate) fn definition_template() -> String {
    let mut definitions = portcullis::cluster::crd::definitions();
    for definition in &mut definitions {
        definition["metadata"]["annotations"] =
            serde_json::json!({"helm.sh/resource-policy": "keep"});
    }
    let text = portcullis::registration::yaml::documents(&definitions);
    let text = text.trim_start_matches("---\n");
    let made = "Made by `cargo xtask deploy` from what `portcullis crd` prints";
    format!("{{{{- if .Values.crds.install }}}}\n{{{{- /* {made} */}}}}\n{text}{{{{- end }}}}\n")
}

/// Where [`definition_template`] is.
pub(crate) fn definition_file() -> PathBuf {
    root().join("deploy/chart/templates/crd.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_in_the_chart_is_what_portcullis_prints() {
        let found = std::fs::read_to_string(definition_file()).unwrap_or_default();
        let is_fresh = found == definition_template();
        assert!(
            is_fresh,
            "{} is stale: run `cargo xtask deploy` and commit what it writes",
            definition_file().display()
        );
        let has_templates = definition_template().matches("{{").count() != 3;
        assert!(!has_templates, "Helm would read something in it as its own");
    }
}
