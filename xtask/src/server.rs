//! A real server for as long as it is needed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::shell;

/// `portcullis serve` on free ports of loopback, with certificates of its own.
pub(crate) struct Server {
    process: Child,
    /// Where the webhook listens.
    pub(crate) https: SocketAddr,
    folder: PathBuf,
}

impl Server {
    /// Makes certificates, starts the server and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Result<Server> {
        let folder = shell::root().join(format!("target/server-{}", std::process::id()));
        let certs = folder.join("certs").display().to_string();
        shell::output(Command::new(binary()).args(["certs", &certs, "--force"]))?;
        let (cert, key) = (format!("{certs}/tls.crt"), format!("{certs}/tls.key"));
        let address = "127.0.0.1:0";
        let mut process = Command::new(binary())
            .args([
                "serve",
                "--tls-cert",
                &cert,
                "--tls-key",
                &key,
                "--listen",
                address,
            ])
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
        };
        server.https = https?;
        Ok(server)
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

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || shell::root().join("target"),
        |target| Path::new(&target).to_owned(),
    )
}
