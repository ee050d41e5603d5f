//! Containers: what the kubelet told its runtime to run, and how that is run
//! here, with our executable in the place of the image.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::http;
use crate::portcullis::binary;

/// What the kubelet wants of one container (tests/cluster/plane/README.md).
#[derive(Debug, Clone)]
pub struct Container {
    /// What its record, and what belongs to it, is called.
    pub(crate) record: PathBuf,
    /// The name of its pod.
    pub pod: String,
    /// The uid of its pod.
    pub uid: String,
    /// How often it was made in this pod before.
    pub attempt: u64,
    /// The image.
    pub image: String,
    /// After the entrypoint of the image.
    pub arguments: Vec<String>,
    /// Names and values.
    pub environment: Vec<(String, String)>,
    /// What stood in mounted volumes when it was made: where, mode and content
    /// (base64), in order.
    pub files: Vec<(String, String, String)>,
    /// Where files of the machine are in the container.
    mounts: Vec<Mount>,
}

/// Who a container runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    uid: u64,
    gid: u64,
    group: u64,
}

impl User {
    /// What the security context of a pod says.
    ///
    /// # Errors
    ///
    /// It leaves a user or a group to the image.
    pub fn of(pod: &Value) -> Result<User> {
        let number = |name: &str| {
            let number = pod["spec"]["securityContext"][name].as_u64();
            number.with_context(|| format!("a pod without {name}"))
        };
        Ok(User {
            uid: number("runAsUser")?,
            gid: number("runAsGroup")?,
            group: number("fsGroup")?,
        })
    }
}

#[derive(Debug, Clone)]
struct Mount {
    container: String,
    host: String,
    is_read_only: bool,
}

/// Where the token of a pod's account is.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The kubelet has it made by its machine, which is a fake.
const TERMINATION_LOG: &str = "/dev/termination-log";

impl Cluster {
    /// All containers of this name that were made in a namespace.
    ///
    /// # Errors
    ///
    /// Records that cannot be read.
    pub fn containers(&self, namespace: &str, name: &str) -> Result<Vec<Container>> {
        let folder = self.folder().join("records");
        let mut containers = vec![];
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let record = std::fs::read_to_string(&path)?;
            let record: Value = serde_json::from_str(&record)?;
            if record["namespace"] == namespace && record["container"] == name {
                containers.push(Container::of(&record, path)?);
            }
        }
        Ok(containers)
    }

    /// Ends the running container of this name, as if it had failed. The kubelet
    /// makes the next attempt within seconds, later from the second one on.
    ///
    /// # Errors
    ///
    /// It does not run, or the node is not ours.
    pub fn restart(&self, namespace: &str, pod: &str, container: &str) -> Result<()> {
        let socket = self.folder().join("node.sock");
        let place = || format!("the node's socket {}", socket.display());
        let stream = UnixStream::connect(&socket).with_context(place)?;
        let path = format!("/restart?namespace={namespace}&pod={pod}&container={container}");
        http::ask(stream, "POST", &path).with_context(place)?;
        Ok(())
    }
}

impl Container {
    fn of(record: &Value, path: PathBuf) -> Result<Container> {
        let text = |value: &Value| {
            let text = value.as_str().map(str::to_owned);
            text.with_context(|| format!("a record without a text: {value}"))
        };
        let list = |name: &str| record[name].as_array().cloned().unwrap_or_default();
        ensure!(
            list("command").is_empty(),
            "the entrypoint of the image is not used"
        );
        let arguments = list("args");
        let (variables, mounts) = (list("envs"), list("mounts"));
        let variable = |one: &Value| Ok((text(&one["key"])?, text(&one["value"])?));
        let mount = |one: &Value| {
            Ok(Mount {
                container: text(&one["containerPath"])?,
                host: text(&one["hostPath"])?,
                is_read_only: one["readOnly"] == true,
            })
        };
        Ok(Container {
            record: path,
            pod: text(&record["pod"])?,
            uid: text(&record["uid"])?,
            attempt: record["attempt"]
                .as_u64()
                .context("a record without an attempt")?,
            image: text(&record["image"])?,
            arguments: arguments.iter().map(text).collect::<Result<_>>()?,
            environment: variables.iter().map(variable).collect::<Result<_>>()?,
            files: files(&mounts)?,
            mounts: mounts
                .iter()
                .filter(|one| one["containerPath"] != TERMINATION_LOG)
                .map(mount)
                .collect::<Result<_>>()?,
        })
    }

    /// `plane run ...` that runs it: its arguments, its environment and its
    /// mounts, and nothing else, as the user of its pod without any capability,
    /// in a root of its own (`folder`, an empty one) that nobody can write to.
    /// The network is the machine's.
    ///
    /// # Errors
    ///
    /// The executable is not built. It fails to run for who is not root: the
    /// kubelet gives files to the user of the pod, and has to be root for that.
    pub(crate) fn command(&self, folder: &Path, user: &User) -> Result<Vec<String>> {
        let binary = binary()?.display().to_string();
        let script = self.script(&folder.display().to_string(), &binary, user);
        let unshare = ["run", "unshare", "--mount", "--"];
        let shell = ["sh", "-euc", &script, "container"];
        let words = unshare.iter().chain(&shell).map(ToString::to_string);
        Ok(words.collect())
    }

    fn script(&self, root: &str, binary: &str, user: &User) -> String {
        let mut script = format!("root={}; binary={}\n{ROOT}", quoted(root), quoted(binary));
        for mount in &self.mounts {
            let (host, place) = (quoted(&mount.host), quoted(&mount.container));
            script.push_str(&format!("place {host} {place}\n"));
            if mount.is_read_only {
                let read_only = format!("mount -o remount,bind,ro \"$root\"{place}\n");
                script.push_str(&read_only);
            }
        }
        script.push_str("mount -o remount,ro \"$root\"\n");
        let User { uid, gid, group } = user;
        script.push_str(&format!(
            "exec chroot \"$root\" /usr/bin/setpriv --reuid={uid} --regid={gid} --groups={group} \
             --bounding-set=-all --inh-caps=-all --no-new-privs /usr/bin/env -i"
        ));
        for (name, value) in &self.environment {
            script.push_str(&format!(" {}", quoted(&format!("{name}={value}"))));
        }
        script.push_str(" /portcullis");
        for argument in &self.arguments {
            script.push_str(&format!(" {}", quoted(argument)));
        }
        script
    }
}

/// The files of all volumes, but the token of the account.
fn files(mounts: &[Value]) -> Result<Vec<(String, String, String)>> {
    let mut files = vec![];
    for mount in mounts
        .iter()
        .filter(|mount| mount["containerPath"] != TOKEN)
    {
        let place = mount["containerPath"]
            .as_str()
            .context("a mount without a path")?;
        for file in mount["files"].as_array().into_iter().flatten() {
            let path = file["path"].as_str().context("a file without a path")?;
            let mode = file["mode"]
                .as_str()
                .context("a file without a mode")?
                .to_owned();
            let content = file["contentBase64"]
                .as_str()
                .context("a file without content")?;
            files.push((format!("{place}/{path}"), mode, content.to_owned()));
        }
    }
    files.sort();
    Ok(files)
}

/// A root with the libraries of the machine, `/proc`, three devices, and the
/// executable; `place HOST PATH` mounts a file or folder.
const ROOT: &str = r#"
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs -o mode=755 none "$root"
place() {
    if [ -d "$1" ]; then mkdir -p "$root$2"
    else mkdir -p "$(dirname "$root$2")"; touch "$root$2"; fi
    mount --rbind "$1" "$root$2"
}
for each in /usr /lib /lib64 /proc /dev/null /dev/urandom /dev/random; do
    [ ! -e $each ] || place $each $each
done
place "$binary" /portcullis
"#;

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
