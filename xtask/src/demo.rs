//! `cargo xtask demo`: the main job on real manifests.
//!
//! Nothing is staged: the binary, the policies and the path of a request are
//! those of a cluster; only the API server is played by `client`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use portcullis::review;
use portcullis_manifest as manifest;
use serde_json::Value;

use crate::client::Client;
use crate::server::Server;
use crate::{build, cluster, shell};

/// A small, untidy home cluster (tests/data/corpora/README.md).
const CORPUS: &str = "tests/data/corpora/pesuga-homelab/manifests";

#[derive(Default)]
struct Tally {
    objects: usize,
    refused: usize,
    warned: usize,
}

/// Builds, serves, and sends every manifest of the corpus; or tells the story
/// with a cluster.
pub(crate) fn demo(arguments: &[String]) -> Result<()> {
    if arguments == ["--cluster"] {
        return cluster::demo();
    }
    ensure!(
        arguments.is_empty(),
        "`cargo xtask demo` takes `--cluster` or nothing"
    );
    build::all(&[])?;
    let server = Server::start(&[])?;
    println!(
        "\nserving on https://{}, profile starter; sending {CORPUS}\n",
        server.https
    );
    let mut client = Client::connect(server.https, &server.ca())?;
    let mut tally = Tally::default();
    for file in files(&shell::root().join(CORPUS))? {
        send(&mut client, &file, &mut tally)?;
    }
    drop(client);
    server.stop()?;
    println!(
        "\n{} objects sent: {} refused, {} admitted with warnings, {} admitted silently",
        tally.objects,
        tally.refused,
        tally.warned,
        tally.objects - tally.refused - tally.warned
    );
    println!(
        "\nTry next:\n  target/debug/portcullis check {CORPUS}\n  \
         target/debug/portcullis policy show image-tags\n  \
         target/debug/portcullis check --profile strict YOUR-MANIFESTS"
    );
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn send(client: &mut Client, file: &Path, tally: &mut Tally) -> Result<()> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let short = file
        .strip_prefix(shell::root().join(CORPUS))
        .unwrap_or(file)
        .display()
        .to_string();
    for object in manifest::read(&text).objects {
        let mut request = review::create(&object.value, |_, _| false);
        request.insert("uid".into(), format!("demo-{}", tally.objects).into());
        let body = review::encode_request(request);
        // What the API server does: one call an entry, one entry a failurePolicy.
        let answers = [
            client.review("/validate/fail", &body)?,
            client.review("/validate/ignore", &body)?,
        ];
        tally.objects += 1;
        show(&object, &short, &answers, tally);
    }
    Ok(())
}

/// As kubectl shows it.
fn show(object: &manifest::Object, file: &str, answers: &[Value], tally: &mut Tally) {
    let name = object
        .value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let group = object
        .api_version()
        .split_once('/')
        .map(|(group, _)| format!(".{group}"));
    let kind = format!(
        "{}{}",
        object.kind().to_lowercase(),
        group.unwrap_or_default()
    );
    let warnings: Vec<&str> = answers
        .iter()
        .flat_map(|answer| answer["warnings"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    for warning in &warnings {
        println!("Warning: {warning}");
    }
    match answers.iter().find(|answer| answer["allowed"] == false) {
        Some(denial) => {
            let message = denial["status"]["message"].as_str().unwrap_or_default();
            println!(
                "Error from server (Forbidden): error when creating \"{file}\": admission webhook \
                 \"validate.portcullis.dev\" denied the request: {message}"
            );
            tally.refused += 1;
        }
        None => {
            println!("{kind}/{name} created");
            tally.warned += usize::from(!warnings.is_empty());
        }
    }
}
