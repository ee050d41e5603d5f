//! Namespaces that nothing covers, in files and audits.

use portcullis_sdk::{Place, Report, When};

use crate::request::{LABEL, Namespace};
use crate::settings::{Profile, Settings};
use crate::{Code, coverage, flows, template};

/// What is found of a namespace that is not enrolled: nothing at all that
/// covers it, or NetworkPolicies for some of its pods. Both come with the
/// NetworkPolicy that enrolment would make.
pub(crate) fn find(namespace: Namespace<'_>, settings: &Settings, report: &mut Report<Code>) {
    let profile = settings.enrol_new.unwrap_or(Profile::IsolateIngress);
    let (flows, _) = flows::parse(namespace.allow);
    let policy = template::policy(profile, settings, &flows);
    let none = Default::default();
    let covering = coverage::of(namespace.name, namespace.labels.unwrap_or(&none));
    let any = coverage::any_network_policy();
    let name = profile.name();
    report.find_lack(
        When {
            unless: [any.clone()].into_iter().chain(covering.clone()).collect(),
            object: policy.clone(),
            ..When::default()
        },
        Code::NamespaceWithoutNetworkpolicy,
        Place::at("/metadata/name"),
        format!(
            "label the namespace `{LABEL}: {name}`, or write a NetworkPolicy for all of its pods"
        ),
        "no NetworkPolicy covers the namespace: every pod of the cluster reaches its pods",
    );
    report.find_lack(
        When {
            among: vec![any],
            unless: covering,
            object: policy,
        },
        Code::NamespacePartlyCovered,
        Place::at("/metadata/name"),
        format!("write one for all pods, or label the namespace `{LABEL}: {name}`"),
        "none of the NetworkPolicies of the namespace is for all of its pods: those that none \
         selects are open to every pod of the cluster",
    );
}
