//! How long it takes until the server serves.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use super::Bench;
use super::policies::{self, Judged};
use super::target::median;

impl Bench<'_> {
    /// From the start of the process to the line `serving`, with the making
    /// of certificates before it subtracted.
    pub(super) fn starts(&self) -> Result<Value> {
        let one = policies::write(&self.folder, Judged::Workloads, 1)?;
        let twenty = policies::write(&self.folder, Judged::Workloads, 20)?;
        let mut rows = Vec::new();
        for (name, folder) in [("1 policy", &one), ("20 policies", &twenty)] {
            // Compiling takes seconds: once is enough.
            let cache = self.folder.join(format!("cold-{name}"));
            let cache = cache.display().to_string();
            let cold = self.start(folder, &cache)?;
            let warm: Vec<f64> = (0..5)
                .map(|_| self.start(folder, &cache))
                .collect::<Result<_>>()?;
            rows.push(json!({
                "policies": name, "coldMillis": cold,
                "warmMillis": median(warm.into_iter()),
            }));
        }
        Ok(rows.into())
    }

    fn start(&self, policies: &std::path::Path, cache: &str) -> Result<f64> {
        let started = Instant::now();
        let server = self.serve(policies, &["--code-cache", cache])?;
        let took = started.elapsed() - server.preparing;
        drop(server);
        Ok(took.as_secs_f64() * 1e3)
    }
}
