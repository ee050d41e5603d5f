//! Portcullis as a process of its own, and its registration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::folder::Folder;
use crate::http;
use crate::neighbours;
use crate::process::{Process, wait};
use crate::registration::Registration;

/// Names another executable to test, such as a release.
pub const BINARY_VARIABLE: &str = "PORTCULLIS_TEST_BINARY";
/// Where a foreign API server finds this machine; by default on itself.
const HOST_VARIABLE: &str = "PORTCULLIS_TEST_WEBHOOK_HOST";
pub(crate) const LOOPBACK: &str = "127.0.0.1";
/// What a process that serves is called.
pub(crate) const PROCESS: &str = "portcullis";
/// Longer than any start, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// `portcullis serve` with certificates of its own, ended when it is dropped.
pub struct Portcullis {
    process: Vec<Process>,
    https: SocketAddr,
    plain: SocketAddr,
    host: String,
    /// `--policies`, `--profile` and the like.
    arguments: Vec<String>,
    folder: Folder,
}

impl Portcullis {
    /// Starts it with these options besides, and waits until it serves.
    ///
    /// # Errors
    ///
    /// It is not built; it does not start: with the end of its log.
    pub fn start(cluster: &Cluster, arguments: &[&str]) -> Result<Portcullis> {
        Portcullis::start_as(cluster, &[], arguments)
    }

    /// [`Portcullis::start`], with a certificate that is for these names, too.
    ///
    /// # Errors
    ///
    /// As [`Portcullis::start`].
    pub fn start_as(cluster: &Cluster, names: &[&str], arguments: &[&str]) -> Result<Portcullis> {
        let folder = Folder::new(cluster.plane())?;
        let host = match cluster.is_own() {
            true => LOOPBACK.to_owned(),
            false => std::env::var(HOST_VARIABLE).unwrap_or_else(|_| LOOPBACK.to_owned()),
        };
        let arguments = neighbours::options(cluster, arguments);
        let command = command(&folder, &[names, &[&host]].concat(), &arguments)?;
        let Started {
            process,
            https,
            plain,
        } = Started::of(cluster, folder.path(), &command)?;
        Ok(Portcullis {
            process,
            https,
            plain,
            host,
            arguments,
            folder,
        })
    }

    /// Starts it with `--cluster`: it finds the cluster by `kubeconfig`, lives
    /// in the namespace `home` and is the replica `identity`. Waits until it is
    /// ready. [`Portcullis::register`] registers it for what the profile
    /// `strict` judges.
    ///
    /// # Errors
    ///
    /// As [`Portcullis::start`]; also if it does not get ready.
    pub fn start_in(
        cluster: &Cluster,
        kubeconfig: &Path,
        home: &str,
        identity: &str,
    ) -> Result<Portcullis> {
        let kubeconfig = kubeconfig.display().to_string();
        let options = [
            "--cluster",
            "--without-registration",
            "--kubeconfig",
            &kubeconfig,
        ];
        let place = ["--namespace", home, "--identity", identity];
        let mut portcullis = Portcullis::start(cluster, &[&options[..], &place].concat())?;
        portcullis.arguments = neighbours::options(cluster, &["--profile", "strict"]);
        let plain = portcullis.plain;
        wait("it is ready", PATIENCE, &mut portcullis.process, || {
            Ok(http::get(plain, "/readyz").is_ok())
        })?;
        Ok(portcullis)
    }

    /// What `/readyz?verbose` says while it is ready.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn health(&self) -> Result<String> {
        http::get(self.plain, "/readyz?verbose")
    }

    /// What the command `arguments` of Portcullis prints.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn print(arguments: &[&str]) -> Result<String> {
        output(arguments)
    }

    /// Where the API server finds it.
    pub fn url(&self) -> String {
        format!("https://{}:{}", self.host, self.https.port())
    }

    /// The host and port of [`Portcullis::url`].
    pub fn address(&self) -> (&str, u16) {
        (&self.host, self.https.port())
    }

    /// The CA of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("certs/ca.crt")
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.iter().map(Process::log).collect()
    }

    /// The log line of each decision: `namespace`, `kind`, `name`, `verdict`.
    pub fn decisions(&self) -> Vec<Value> {
        let log = self.log();
        let events = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        events
            .filter(|event: &Value| event["message"] == "decision")
            .collect()
    }

    /// How many requests it has answered.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn requests(&self) -> Result<u64> {
        let metrics = http::get(self.plain, "/metrics")?;
        let of_requests = |line: &&str| line.starts_with("portcullis_requests_total{");
        let counts = metrics.lines().filter(of_requests);
        let numbers = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(numbers.sum())
    }

    /// How often another set of policies was put in force.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn reloads(&self) -> Result<u64> {
        let metrics = http::get(self.plain, "/metrics")?;
        let taken = "portcullis_policy_reloads_total{reason=\"taken\"} ";
        let mut counts = metrics.lines().filter_map(|line| line.strip_prefix(taken));
        counts.next().map_or(Ok(0), |count| Ok(count.parse()?))
    }

    /// What `portcullis webhook-config` prints for it, with its URL unless the
    /// arguments name a `--service`.
    ///
    /// # Errors
    ///
    /// It refuses the options.
    pub fn webhook_config(&self, arguments: &[&str]) -> Result<String> {
        let ca = self.ca().display().to_string();
        let url = self.url();
        let has_service = arguments.contains(&"--service");
        let target = if has_service {
            &[][..]
        } else {
            &["--url", &url]
        };
        let own = [&["webhook-config", "--ca-file", &ca], target].concat();
        let policies: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        output(&[&own, &policies[..], arguments].concat())
    }

    /// Registers it, for namespaces that fulfil these requirements (as
    /// `--namespace-selector` takes them) besides those that are never judged.
    ///
    /// # Errors
    ///
    /// The API server refuses the registration.
    pub fn register<'c>(
        &self,
        cluster: &'c Cluster,
        namespaces: &[&str],
    ) -> Result<Registration<'c>> {
        self.register_with(cluster, namespaces, &[])
    }

    /// [`Portcullis::register`], with further options of `webhook-config`.
    ///
    /// # Errors
    ///
    /// As [`Portcullis::register`].
    pub fn register_with<'c>(
        &self,
        cluster: &'c Cluster,
        namespaces: &[&str],
        options: &[&str],
    ) -> Result<Registration<'c>> {
        let name = crate::unique();
        let mut arguments = [&["--name", &name], options].concat();
        for requirement in namespaces {
            arguments.extend(["--namespace-selector", requirement]);
        }
        Registration::apply(cluster, name.clone(), &self.webhook_config(&arguments)?)
    }

    /// Ends it; the registration stays.
    pub fn stop(&mut self) {
        self.process.clear();
    }

    /// Fails if it has ended, with the end of its log.
    ///
    /// # Errors
    ///
    /// Why it has.
    pub fn check(&mut self) -> Result<()> {
        self.process.iter_mut().try_for_each(Process::check)
    }
}

/// Makes certificates, and the command line of a server that uses them.
fn command(folder: &Folder, names: &[&str], arguments: &[String]) -> Result<Vec<String>> {
    let certs = folder.file("certs");
    let mut make = vec!["certs", &certs, "--name=localhost"];
    make.extend(names.iter().flat_map(|name| ["--name", name]));
    output(&make)?;
    let interface = if names.contains(&LOOPBACK) {
        LOOPBACK
    } else {
        "0.0.0.0"
    };
    let command = [
        "run",
        &binary()?.display().to_string(),
        "serve",
        &format!("--tls-cert={certs}/tls.crt"),
        &format!("--tls-key={certs}/tls.key"),
        &format!("--listen={interface}:0"),
        &format!("--metrics-listen={LOOPBACK}:0"),
        "--drain-delay=0s",
        "--log=debug",
    ];
    let words = command.iter().map(ToString::to_string);
    Ok(words.chain(arguments.iter().cloned()).collect())
}

/// A process that serves, and where.
pub(crate) struct Started {
    /// One.
    pub(crate) process: Vec<Process>,
    pub(crate) https: SocketAddr,
    pub(crate) plain: SocketAddr,
}

impl Started {
    /// Starts `plane COMMAND...` and waits until its log, which is put into the
    /// folder, says where it serves.
    ///
    /// # Errors
    ///
    /// It does not start: with the end of its log.
    pub(crate) fn of(cluster: &Cluster, folder: &Path, command: &[String]) -> Result<Started> {
        let mut process = vec![begin(cluster, folder, command)?];
        let mut addresses = None;
        wait("portcullis serves", PATIENCE, &mut process, || {
            addresses = serves(folder)?;
            Ok(addresses.is_some())
        })?;
        let (https, plain) = addresses.context("it serves somewhere")?;
        Ok(Started {
            process,
            https,
            plain,
        })
    }
}

/// Starts `plane COMMAND...`, and waits for nothing.
///
/// # Errors
///
/// It does not start.
pub(crate) fn begin(cluster: &Cluster, folder: &Path, command: &[String]) -> Result<Process> {
    Process::start(cluster.plane(), folder, PROCESS, command)
}

/// Where what [`begin`] started in this folder serves, HTTPS and plain; None if it
/// does not yet.
///
/// # Errors
///
/// Its log cannot be read.
pub(crate) fn serves(folder: &Path) -> Result<Option<(SocketAddr, SocketAddr)>> {
    let log = folder.join(format!("{PROCESS}.log"));
    serving(&std::fs::read_to_string(log)?)
}

/// The addresses in the line that says that it serves, if it is there.
fn serving(log: &str) -> Result<Option<(SocketAddr, SocketAddr)>> {
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let Some(event) = events
        .into_iter()
        .find(|event: &Value| event["message"] == "serving")
    else {
        return Ok(None);
    };
    let address = |name: &str| event[name].as_str().unwrap_or_default().parse();
    Ok(Some((address("https")?, address("plain")?)))
}

/// The executable that is tested: that of [`BINARY_VARIABLE`], or what `cargo xtask
/// build` makes.
///
/// # Errors
///
/// It is not there.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::var_os(BINARY_VARIABLE)
        .map_or_else(|| crate::target().join("debug/portcullis"), PathBuf::from);
    ensure!(
        path.is_file(),
        "{} is not there: run `cargo xtask build` first",
        path.display()
    );
    Ok(std::path::absolute(path)?)
}

/// Runs a command of Portcullis to its end and gives what it prints.
pub(crate) fn output(arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary()?).args(arguments).output()?;
    let [said, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    ensure!(
        output.status.success(),
        "portcullis {}: {errors}{said}",
        arguments[0]
    );
    String::from_utf8(output.stdout).with_context(|| Path::new(arguments[0]).display().to_string())
}
