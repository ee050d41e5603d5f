//! `cargo xtask cluster` and `cargo xtask demo --cluster`: Portcullis in front
//! of a real API server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use portcullis_cluster::{Cluster, Portcullis, User, story};

use crate::build;

/// The namespace of the demonstrations.
const NAMESPACE: &str = "shop";

/// Starts a cluster and keeps it until Ctrl-C. What was started ends with this
/// process, so that there is nothing to clean up here.
pub(crate) fn play(arguments: &[String]) -> Result<()> {
    build::all(&[])?;
    println!("starting a Kubernetes control plane, a node and Portcullis");
    let cluster = Cluster::start()?;
    let options: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut portcullis = Portcullis::start(&cluster, &options)?;
    let folder = wrapper(&cluster)?;
    let (dev, admin) = (
        cluster.kubeconfig(User::Dev),
        cluster.kubeconfig(User::Admin),
    );
    {
        let registration = portcullis.register(&cluster, &[])?;
        let namespace = cluster.namespace_named(NAMESPACE)?;
        registration.wait(&portcullis, &namespace)?;
        // They stay until the cluster is gone.
        std::mem::forget((registration, namespace));
    }
    println!(
        "\nReady. In another terminal, as an ordinary user who may edit in the namespace `{NAMESPACE}`:\n\n  \
         export PATH={}:$PATH\n  export KUBECONFIG={}\n  kubectl -n {NAMESPACE} apply -f {}/web-latest.yaml\n\n\
         As administrator:\n\n  export KUBECONFIG={}\n\n\
         Logs, the audit log, and what each container would get (records/): {}\n\
         Portcullis listens on {}. Ctrl-C ends and removes everything.",
        folder.display(),
        dev.display(),
        story::folder().canonicalize()?.display(),
        admin.display(),
        cluster.folder().display(),
        portcullis.url()
    );
    loop {
        std::thread::sleep(Duration::from_secs(1));
        cluster.check()?;
        portcullis.check()?;
    }
}

/// A folder for `PATH`: `kubectl` is part of the program that the cluster is.
fn wrapper(cluster: &Cluster) -> Result<PathBuf> {
    let folder = cluster.folder().join("bin");
    let path = folder.join("kubectl");
    let context = || path.display().to_string();
    std::fs::create_dir_all(&folder).with_context(context)?;
    let script = format!(
        "#!/bin/sh\nexec '{}' kubectl \"$@\"\n",
        cluster.plane().display()
    );
    std::fs::write(&path, script).with_context(context)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).with_context(context)?;
    Ok(folder)
}

/// Tells the story of the README with a real kubectl.
pub(crate) fn demo() -> Result<()> {
    build::all(&[])?;
    println!("starting a Kubernetes control plane, a node and Portcullis\n");
    let cluster = Cluster::start()?;
    let portcullis = Portcullis::start(&cluster, &[])?;
    let registration = portcullis.register(&cluster, &[])?;
    let namespace = cluster.namespace_named(NAMESPACE)?;
    registration.wait(&portcullis, &namespace)?;
    println!(
        "In the namespace `{NAMESPACE}`, as `dev-user`, who may edit there and nothing else:\n"
    );
    let steps = story::tell(&namespace, |step| {
        println!(
            "$ {}\n{}{}",
            step.command, step.answer.stderr, step.answer.stdout
        );
    })?;
    let codes: Vec<i32> = steps.iter().map(|step| step.answer.code).collect();
    ensure!(
        codes == story::CODES,
        "the story went otherwise: exit codes {codes:?}"
    );
    println!(
        "`kubectl diff` prints nothing: what runs is what is written.\n\n\
         Try next:\n  cargo xtask cluster"
    );
    Ok(())
}

/// Builds what a cluster needs besides Portcullis.
pub(crate) fn program() -> Result<()> {
    let program = portcullis_cluster::plane::build()?;
    println!("control plane: {}", Path::display(&program));
    println!(
        "Helm: {}",
        Path::display(&portcullis_cluster::helm::build()?)
    );
    Ok(())
}
