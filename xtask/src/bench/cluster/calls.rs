//! How often the API server calls webhooks, as it counts itself.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use portcullis_cluster::{Cluster, User};

use super::connection::{Access, Connection};
use super::pod::Manifest;
use super::row::{Row, Way};

/// Creates that are counted.
const CREATES: u16 = 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// One for each webhook and result.
const METRIC: &str = "apiserver_admission_webhook_request_total{";

/// How many calls of webhooks a create takes in a row's namespace. Waits
/// until there are some where there have to be.
pub(super) fn of_a_create(cluster: &Cluster, row: &Row<'_>) -> Result<f64> {
    let mut connection = Connection::open(&Access::of(&cluster.kubeconfig(User::Dev))?)?;
    let has_webhook = !matches!(row.way, Way::Nothing | Way::Cel);
    let started = Instant::now();
    loop {
        let before = so_far(cluster)?;
        for _ in 0..CREATES {
            let pod = Manifest::careful().numbered(0);
            connection.create(row.namespace.name(), pod, "dryRun=All")?;
        }
        let calls = (so_far(cluster)? - before) / f64::from(CREATES);
        if has_webhook == (calls >= 1.0) {
            return Ok(calls);
        }
        let name = row.way.name();
        ensure!(
            started.elapsed() < PATIENCE,
            "a create of `{name}` takes {calls} calls of webhooks"
        );
    }
}

fn so_far(cluster: &Cluster) -> Result<f64> {
    let metrics = ["get", "--raw", "/metrics"];
    Ok(sum(&cluster.kubectl(User::Admin, &metrics, "")?.ok()?))
}

/// The sum of all values of the metric.
fn sum(metrics: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(METRIC));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_all_webhooks_are_summed() {
        let metrics = "# HELP apiserver_admission_webhook_request_total requests\n\
            apiserver_admission_webhook_request_total{code=\"200\",name=\"a b\",type=\"admit\"} 12\n\
            apiserver_admission_webhook_request_total{code=\"200\",type=\"validating\"} 3\n\
            apiserver_admission_webhook_rejection_count{name=\"a\"} 100\n";
        assert_eq!(sum(metrics).round(), 15.0);
    }
}
