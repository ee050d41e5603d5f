//! What metrics are called, and what is said of them.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

use super::Metrics;

impl Metrics {
    pub(super) fn register_decisions(&mut self) {
        let registry = &mut self.registry;
        let help = "Admission requests, by what they got";
        registry.register("requests", help, self.requests.clone());
        let help = "From the whole body to the answer";
        let family = self.request_duration.clone();
        registry.register_with_unit("request_duration", help, Unit::Seconds, family);
        let help = "What policies found, by what it led to";
        registry.register("findings", help, self.findings.clone());
        let help = "One policy judging one request";
        let family = self.evaluation_duration.clone();
        registry.register_with_unit("evaluation_duration", help, Unit::Seconds, family);
        let help = "Policies that gave no verdict, by whose fault it was and why";
        registry.register("policy_failures", help, self.failures.clone());
        let help =
            "How often a policy was not asked for a while, since it hit its deadline in a row";
        registry.register("policy_suspensions", help, self.suspensions.clone());
        let help = "Policies in force: ready, failed, or stale, in their last good form";
        registry.register("policies", help, self.policies.clone());
        let help = "Changed policies, taken or refused";
        registry.register("policy_reloads", help, self.policy_reloads.clone());
        let help = "Evaluations that the verdict cache answered";
        registry.register("verdict_cache_hits", help, self.verdicts_known.clone());
        let help = "Evaluations that the verdict cache had no answer for";
        registry.register("verdict_cache_misses", help, self.verdicts_unknown.clone());
        let help = "Whether the API server is watched for changes of a resource: 1 or 0";
        registry.register("watch_up", help, self.watches.clone());
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "What is running", Info::new(version));
    }

    pub(super) fn register_transport(&mut self) {
        let registry = &mut self.registry;
        let help = "HTTP requests that never were admission requests, by why";
        registry.register("http_rejections", help, self.rejections.clone());
        let help = "Open TLS connections";
        registry.register("connections", help, self.connections.clone());
        let help = "Connections that ended before TLS was agreed on";
        registry.register(
            "tls_handshake_failures",
            help,
            self.handshake_failures.clone(),
        );
        let help = "When the certificate in force ends, as Unix time";
        let gauge = self.certificate_not_after.clone();
        registry.register_with_unit("certificate_not_after", help, Unit::Seconds, gauge);
        let help = "Changed certificate files, taken or refused";
        registry.register(
            "certificate_reloads",
            help,
            self.certificate_reloads.clone(),
        );
    }

    pub(super) fn register_writes(&mut self) {
        let registry = &mut self.registry;
        let help = "1 on the replica that writes to the cluster";
        registry.register("leader", help, self.leads.clone());
        let help = "1 while a webhook configuration stays away since it was deleted, paused or \
                    deregistered";
        registry.register("paused", help, self.paused.clone());
        let help = "Webhook configurations that are registered";
        registry.register("registered", help, self.registered.clone());
        let help = "Webhook configurations that somebody had changed and that were put right";
        registry.register("registration_mends", help, self.mends.clone());
        let help = "Namespaces that keep policies from failing closed: they hold what Portcullis \
                    needs to start";
        registry.register("fail_withheld", help, self.withheld.clone());
        let help = "Namespaces that no policy judges, by the operator's word or since nothing \
                    there may wait";
        registry.register("namespace_excluded", help, self.excluded.clone());
    }
}
