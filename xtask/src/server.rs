//! A real server for as long as it is needed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::shell;

/// Folders of this process's servers so far.
static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// `portcullis serve` (or what takes its arguments) on free ports of loopback,
/// with certificates of its own.
pub(crate) struct Server {
    process: Child,
    /// Where the webhook listens.
    pub(crate) https: SocketAddr,
    folder: PathBuf,
    /// How long it took to make the certificates.
    pub(crate) preparing: Duration,
}

impl Server {
    /// Makes certificates, starts the server and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Result<Server> {
        let mut serve = Command::new(binary());
        serve.arg("serve");
        Server::of(serve, &binary(), arguments)
    }

    /// The same of a command that takes the arguments of `serve` and logs as
    /// it does; `portcullis` makes the certificates.
    pub(crate) fn of(serve: Command, portcullis: &Path, arguments: &[&str]) -> Result<Server> {
        Server::named(serve, portcullis, &[], arguments)
    }

    /// [`Server::of`] with a certificate that is for these names, too.
    pub(crate) fn named(
        mut serve: Command,
        portcullis: &Path,
        names: &[&str],
        arguments: &[&str],
    ) -> Result<Server> {
        let started = Instant::now();
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("target/server-{}-{number}", std::process::id());
        let folder = shell::root().join(name);
        let certs = folder.join("certs").display().to_string();
        let mut make = Command::new(portcullis);
        make.args(["certs", &certs, "--force", "--name=localhost"]);
        make.args(names.iter().map(|name| format!("--name={name}")));
        shell::output(&mut make)?;
        let (cert, key) = (format!("{certs}/tls.crt"), format!("{certs}/tls.key"));
        let preparing = started.elapsed();
        let address = "127.0.0.1:0";
        let mut process = serve
            .args(["--tls-cert", &cert, "--tls-key", &key, "--listen", address])
            .args(["--metrics-listen", address, "--drain-delay", "0s"])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("portcullis cannot be started")?;
        let lines = BufReader::new(process.stderr.take().context("its log is not to be read")?);
        let https = address_of(lines);
        let mut server = Server {
            process,
            https: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            preparing,
        };
        server.https = https?;
        Ok(server)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The CA of its certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("certs/ca.crt")
    }

    /// Asks it to end, and expects it to end well.
    pub(crate) fn stop(mut self) -> Result<()> {
        let process = self.process.id().to_string();
        shell::run(Command::new("kill").args(["-TERM", &process]))?;
        let status = self.process.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `stop`; after an error there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Reads the log up to the line that names the address; the rest is read to
/// its end beside us, so that the server never waits for a full pipe.
fn address_of(mut lines: BufReader<impl std::io::Read + Send + 'static>) -> Result<SocketAddr> {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            bail!("the server did not start: {}", seen.trim());
        }
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event["message"] == "serving" {
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            return Ok(event["https"].as_str().unwrap_or_default().parse()?);
        }
        seen.push_str(&line);
    }
}

/// The executable that `build` made.
pub(crate) fn binary() -> PathBuf {
    target().join("debug/portcullis")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || shell::root().join("target"),
        |target| Path::new(&target).to_owned(),
    )
}
