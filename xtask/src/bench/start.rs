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
        let sixteen = policies::write(&self.folder, Judged::Workloads, 16)?;
        let twenty = policies::write(&self.folder, Judged::Workloads, 20)?;
        let mut rows = Vec::new();
        for (name, folder) in [("16 policies", &sixteen), ("20 policies", &twenty)] {
            let cold: Vec<f64> = (0..self.options.rounds.min(3))
                .map(|round| {
                    let cache = self.folder.join(format!("cold-{name}-{round}"));
                    self.start(folder, &cache.display().to_string())
                })
                .collect::<Result<_>>()?;
            let last = self.folder.join(format!("cold-{name}-0"));
            let warm: Vec<f64> = (0..5)
                .map(|_| self.start(folder, &last.display().to_string()))
                .collect::<Result<_>>()?;
            rows.push(json!({
                "policies": name, "coldMillis": median(cold.into_iter()),
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
