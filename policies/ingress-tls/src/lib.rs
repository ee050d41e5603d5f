//! What a cluster serves to the outside is encrypted.
//!
//! The page of the policy is [`IngressTls`]. `ingress` judges Ingresses,
//! `route` Traefik's IngressRoutes, `api` and `values` find Traefik's API
//! without a password.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{MatchConstraints, Rule};
use portcullis_sdk::pod::{Containers, Pod};
use portcullis_sdk::{Kind, List, Page, Place, Policy, Reads, Report, Text};
use serde::Deserialize;
use serde_json::Value;

mod api;
mod code;
mod ingress;
mod route;
mod settings;
mod values;

pub use code::Code;
pub use settings::Settings;

/// ## What it does
///
/// Warns of Ingresses without `spec.tls`, of hosts that no entry of it
/// covers, and of Traefik IngressRoutes without `tls`. It also finds Traefik's
/// API without a password: `--api.insecure` in the arguments of a container,
/// in the values of a Flux HelmRelease or of an Argo CD Application, and
/// routes to `api@internal` without a middleware. On request it adds
/// `tls: {}` to IngressRoutes.
///
/// ## Why is this bad?
///
/// Without TLS, whoever sits between a browser and the cluster, in the same
/// WLAN for one, reads passwords and session cookies and may change what is
/// served. And Traefik's API tells each Pod that is broken into what else
/// there is to break into.
///
/// ## What it does not judge
///
/// - Ingresses whose every path is an ACME challenge, which must be plain
///   HTTP.
/// - Ingresses that get TLS by an annotation of `tlsAnnotations`.
/// - IngressRoutes on `redirectEntryPoints` alone with a middleware named
///   after a redirect on every route, and those on `tlsEntryPoints` alone:
///   how an entry point is set up is not in the object, so name yours.
/// - An Ingress rule without a host. An entry of `spec.tls` without hosts
///   covers every host by the controller's own certificate, unless
///   `defaultCertificate` is `false`.
/// - Whether the Secret exists, and what kind of middleware one is.
/// - `api@internal` on the entry point `traefik` alone, which is Traefik's own
///   port.
/// - Traefik's configuration in ConfigMaps, files and environment variables,
///   and values in Secrets. `api: {insecure: true}` counts only in values
///   that are Traefik's by the name of the chart, the release or a key above
///   it. In Argo CD's `values`, a text, it is found line by line.
/// - Gateways and HTTPRoutes.
///
/// ## Examples
///
/// Warned of:
///
/// ```yaml
/// kind: IngressRoute
/// spec:
///   entryPoints: [websecure]
///   routes: [{kind: Rule, match: Host(`shop.example.org`), services: [{name: shop, port: 80}]}]
/// ```
///
/// Use instead:
///
/// ```yaml
/// kind: IngressRoute
/// spec:
///   entryPoints: [websecure]
///   routes: [{kind: Rule, match: Host(`shop.example.org`), services: [{name: shop, port: 80}]}]
///   tls: {}
/// ```
#[derive(Debug, Page)]
pub struct IngressTls;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(default)]
    pod: Option<Pod<'a, PodSpec<'a>>>,
    #[serde(default)]
    object: Option<Object<'a>>,
}

/// What is read of a pod's spec.
type PodSpec<'a> = Containers<Container<'a>>;

/// What is read of a container.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub struct Container<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    command: List<Text<'a>>,
    args: List<Text<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    annotations: Option<BTreeMap<String, Value>>,
}

/// The specs of all kinds that are judged, in one.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    /// A list in an Ingress, a map in an IngressRoute.
    tls: Option<Value>,
    #[serde(borrow)]
    rules: List<ingress::Rule<'a>>,
    entry_points: List<Text<'a>>,
    routes: List<route::Route<'a>>,
    chart: Option<values::Chart<'a>>,
    values: Value,
    source: Option<values::Source<'a>>,
    sources: List<values::Source<'a>>,
}

impl Policy for IngressTls {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    const MUTATING: bool = true;
    const MUTATING_SETTINGS: &'static [&'static str] = &["addTls"];

    fn matches() -> MatchConstraints {
        let mut matches = MatchConstraints::pod_templates();
        let routes = ["ingressroutes", "ingressroutetcps"];
        matches.resource_rules.extend([
            Rule::writes("networking.k8s.io", &["ingresses"]),
            Rule::writes("extensions", &["ingresses"]),
            Rule::writes("traefik.io", &routes),
            Rule::writes("traefik.containo.us", &routes),
            Rule::writes("helm.toolkit.fluxcd.io", &["helmreleases"]),
            Rule::writes("argoproj.io", &["applications"]),
        ]);
        matches
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        if let Some(pod) = &request.pod {
            return arguments(pod, report);
        }
        let Some(Object { metadata, spec }) = &request.object else {
            return;
        };
        let (name, tls) = (&*metadata.name, spec.tls.as_ref());
        match &*request.kind.kind {
            "Ingress" => {
                let none = BTreeMap::new();
                let annotations = metadata.annotations.as_ref().unwrap_or(&none);
                ingress::judge(&spec.rules, tls, annotations, settings, report);
            }
            "IngressRoute" => {
                route::judge(&spec.entry_points, &spec.routes, tls, settings, report);
            }
            "IngressRouteTCP" => route::judge_tcp(tls, report),
            "HelmRelease" => {
                values::judge_release(name, spec.chart.as_ref(), &spec.values, report);
            }
            "Application" => {
                if let Some(source) = &spec.source {
                    values::judge_source(name, source, "/spec/source", report);
                }
                for (index, source) in spec.sources.iter().enumerate() {
                    let at = format!("/spec/sources/{index}");
                    values::judge_source(name, source, &at, report);
                }
            }
            _ => {}
        }
    }
}

/// Arguments of containers that open Traefik's API.
fn arguments(pod: &Pod<'_, PodSpec<'_>>, report: &mut Report<Code>) {
    for (_, at, container) in pod.spec.iter(&pod.path) {
        let lists = [("command", &container.command), ("args", &container.args)];
        for (member, list) in lists {
            for (index, argument) in list.iter().enumerate() {
                if !api::is_set_in(argument) {
                    continue;
                }
                let place = Place::at(format!("{at}/{member}/{index}"));
                let place = match &*container.name {
                    "" => place,
                    name => place.in_container(name),
                };
                values::find(place, report);
            }
        }
    }
}

portcullis_sdk::export!(IngressTls);
