//! The settings.

use std::collections::BTreeMap;

use portcullis_sdk::{Fault, Settings as Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The settings of `ingress-tls`; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Whether the controller's own certificate will do: for entries of
    /// `spec.tls` without hosts, which then cover every host, and for those
    /// without a Secret.
    pub default_certificate: bool,
    /// Annotations by which an Ingress gets TLS without `spec.tls`: `NAME`, or
    /// `NAME=VALUE`.
    pub tls_annotations: Vec<String>,
    /// Traefik's entry points that encrypt by themselves (`http.tls` in the
    /// entry point): an IngressRoute on these alone needs no `tls`. The Helm
    /// chart of Traefik makes `websecure` one.
    pub tls_entry_points: Vec<String>,
    /// Traefik's entry points for plain HTTP: an IngressRoute on these alone
    /// needs no `tls` if a middleware with `redirect` in its name is on each
    /// of its routes.
    pub redirect_entry_points: Vec<String>,
    /// Adds `tls: {}` to IngressRoutes that need it, instead of reporting
    /// them.
    pub add_tls: bool,
}

/// Of Traefik, of Google's load balancers and of those of AWS.
const TLS_ANNOTATIONS: [&str; 4] = [
    "alb.ingress.kubernetes.io/certificate-arn",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
    "networking.gke.io/managed-certificates",
    "traefik.ingress.kubernetes.io/router.tls=true",
];

impl Default for Settings {
    fn default() -> Self {
        Settings {
            default_certificate: true,
            tls_annotations: TLS_ANNOTATIONS.map(String::from).into(),
            tls_entry_points: Vec::new(),
            redirect_entry_points: vec!["web".into()],
            add_tls: false,
        }
    }
}

impl Settings {
    /// Whether an Ingress with these annotations gets TLS by one of them.
    pub(crate) fn has_tls_by(&self, annotations: &BTreeMap<String, Value>) -> bool {
        self.tls_annotations.iter().any(|entry| {
            let (name, value) = match entry.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (entry.as_str(), None),
            };
            let found = annotations.get(name).and_then(Value::as_str);
            found.is_some_and(|found| value.is_none_or(|value| value == found))
        })
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let lists = [
            ("tlsAnnotations", &self.tls_annotations),
            ("tlsEntryPoints", &self.tls_entry_points),
            ("redirectEntryPoints", &self.redirect_entry_points),
        ];
        let mut faults = Vec::new();
        for (member, list) in lists {
            for (index, entry) in list.iter().enumerate() {
                let is_name = !entry.is_empty() && !entry.starts_with('=');
                if !is_name || entry.contains(char::is_whitespace) {
                    let problem = format!("`{entry}` is no name: write one, or remove the entry");
                    faults.push(Fault::new(format!("/{member}/{index}"), problem));
                }
            }
        }
        faults
    }
}
