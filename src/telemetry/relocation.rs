//! What is moved out of ConfigMaps: counters of the webhook, and the state of
//! things as the process that serves it sees it, which has a registry of its own.
//!
//! Labels name namespaces that an operator enrolled, and reasons that are fixed
//! in the code; never a ConfigMap, a key or a Secret.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;
use super::labels::{Namespace, Reason};
use crate::server::plain::Told;

/// What the webhook did.
#[derive(Default)]
pub(super) struct Moving {
    keys: Counter,
    denials: Family<Reason, Counter>,
}

impl Metrics {
    pub(super) fn register_relocation(&mut self) {
        let registry = &mut self.registry;
        let help = "Keys of ConfigMaps whose values were moved to a Secret";
        registry.register("relocation_moved_keys", help, self.moving.keys.clone());
        let help = "ConfigMaps and pods that were refused for what is moved, by why";
        registry.register("relocation_denials", help, self.moving.denials.clone());
    }

    /// Values were moved; a dry run moves none.
    pub fn relocation_moved(&self, keys: usize) {
        self.moving.keys.inc_by(keys as u64);
    }

    /// A ConfigMap or a pod was refused.
    pub fn relocation_denied(&self, reason: &'static str) {
        self.moving.denials.get_or_create(&Reason { reason }).inc();
    }
}

/// What is to be said of one namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// ConfigMaps that hold placeholders.
    pub config_maps: usize,
    /// Their placeholders.
    pub keys: usize,
    /// Placeholders, and serving Secrets, that something is wrong with.
    pub dangling: usize,
    /// ConfigMaps whose state could not be served.
    pub unserved: usize,
    /// Since when the first of them, Unix time.
    pub unserved_since: Option<i64>,
}

/// The metrics of `portcullis relocate`.
pub struct Relocations {
    registry: Registry,
    config_maps: Family<Namespace, Gauge>,
    keys: Family<Namespace, Gauge>,
    dangling: Family<Namespace, Gauge>,
    unserved: Family<Namespace, Gauge>,
    unserved_since: Family<Namespace, Gauge>,
    unnamed: Family<Namespace, Gauge>,
    unnamed_since: Family<Namespace, Gauge>,
    is_watching: AtomicBool,
}

impl Default for Relocations {
    fn default() -> Self {
        let mut metrics = Relocations {
            registry: Registry::with_prefix("portcullis"),
            config_maps: Family::default(),
            keys: Family::default(),
            dangling: Family::default(),
            unserved: Family::default(),
            unserved_since: Family::default(),
            unnamed: Family::default(),
            unnamed_since: Family::default(),
            is_watching: AtomicBool::default(),
        };
        metrics.register();
        metrics
    }
}

impl Relocations {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let help = "ConfigMaps that values were moved out of";
        registry.register("relocation_config_maps", help, self.config_maps.clone());
        let help = "Keys whose values were moved";
        registry.register("relocation_keys", help, self.keys.clone());
        let help = "Moved keys, and serving Secrets, that cannot be served as they are: see `portcullis \
                    secrets status`";
        registry.register("relocation_dangling", help, self.dangling.clone());
        let help = "ConfigMaps whose present state is not served yet";
        registry.register("relocation_unserved", help, self.unserved.clone());
        let help = "Since when the first of these is not served, as Unix time";
        let family = self.unserved_since.clone();
        registry.register_with_unit("relocation_unserved_since", help, Unit::Seconds, family);
        let help = "Staged Secrets that no ConfigMap names; they go after an hour";
        registry.register("relocation_unnamed_secrets", help, self.unnamed.clone());
        let help = "When the oldest of these was created, as Unix time";
        let family = self.unnamed_since.clone();
        let name = "relocation_unnamed_secrets_since";
        registry.register_with_unit(name, help, Unit::Seconds, family);
    }

    /// What a namespace is like now.
    pub fn tally(&self, namespace: &str, tally: &Tally) {
        let label = label(namespace);
        for (family, count) in [
            (&self.config_maps, tally.config_maps),
            (&self.keys, tally.keys),
            (&self.dangling, tally.dangling),
            (&self.unserved, tally.unserved),
        ] {
            family.get_or_create(&label).set(number(count));
        }
        since(&self.unserved_since, &label, tally.unserved_since);
    }

    /// How many staged Secrets of a namespace nothing names, and when the oldest
    /// came, Unix time.
    pub fn unnamed(&self, namespace: &str, count: usize, oldest: Option<i64>) {
        let label = label(namespace);
        self.unnamed.get_or_create(&label).set(number(count));
        since(&self.unnamed_since, &label, oldest);
    }

    /// A namespace is not enrolled any more.
    pub fn forget(&self, namespace: &str) {
        let label = label(namespace);
        for family in [
            &self.config_maps,
            &self.keys,
            &self.dangling,
            &self.unserved,
            &self.unserved_since,
            &self.unnamed,
            &self.unnamed_since,
        ] {
            family.remove(&label);
        }
    }

    /// The namespaces are known: what is enrolled is looked after.
    pub fn watching(&self) {
        self.is_watching.store(true, Ordering::Relaxed);
    }
}

impl Told for Relocations {
    fn is_ready(&self) -> bool {
        self.is_watching.load(Ordering::Relaxed)
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing into a String has no way to fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn label(namespace: &str) -> Namespace {
    Namespace {
        namespace: namespace.to_owned(),
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// No time is no series: an age of it would be half a century.
fn since(family: &Family<Namespace, Gauge>, label: &Namespace, at: Option<i64>) {
    match at {
        Some(at) => drop(family.get_or_create(label).set(at)),
        None => drop(family.remove(label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_of_while_it_is_enrolled() {
        let metrics = Relocations::default();
        let tally = Tally {
            config_maps: 2,
            keys: 3,
            dangling: 1,
            unserved: 1,
            unserved_since: Some(1_800_000_000),
        };
        metrics.tally("shop", &tally);
        metrics.unnamed("shop", 0, None);
        let text = metrics.metrics();
        for line in [
            "portcullis_relocation_config_maps{namespace=\"shop\"} 2",
            "portcullis_relocation_keys{namespace=\"shop\"} 3",
            "portcullis_relocation_dangling{namespace=\"shop\"} 1",
            "portcullis_relocation_unserved_since_seconds{namespace=\"shop\"} 1800000000",
            "portcullis_relocation_unnamed_secrets{namespace=\"shop\"} 0",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("unnamed_secrets_since_seconds{"), "{text}");
        metrics.tally("shop", &Tally::default());
        assert!(!metrics.metrics().contains("unserved_since_seconds{"));
        metrics.forget("shop");
        assert!(!metrics.metrics().contains("namespace="));
    }
}
