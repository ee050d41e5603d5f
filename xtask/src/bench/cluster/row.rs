//! What stands in the way of a create: a namespace for each.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use portcullis_cluster::{Cluster, Namespace, User};
use serde_json::json;

use super::connection::{Access, Answer, Connection};
use super::pod::Manifest;
use crate::bench::NOOP;
use crate::server::Server;
use crate::shell;

/// What the profile `starter` says of Pods, in CEL.
const POLICIES: &str = "xtask/src/bench/cluster/admission-policies.yaml";
/// Documents that take the place of some of the profile: `resources` with
/// `defaults`.
const FILLING: &str = "xtask/src/bench/cluster/filling.yaml";
/// Longer than any API server needs to hear of a registration.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing but what every API server does.
    Nothing,
    /// ValidatingAdmissionPolicies that say what `starter` says of Pods.
    Cel,
    /// One validating webhook that looks at nothing.
    Noop,
    /// Portcullis with a profile, as it registers itself.
    Profile(&'static str),
    /// Portcullis with `starter`, asked twice: it would fill in resources.
    Filling,
}

/// All rows; the others are compared with the first.
pub(super) const WAYS: [Way; 6] = [
    Way::Nothing,
    Way::Cel,
    Way::Noop,
    Way::Profile("starter"),
    Way::Profile("strict"),
    Way::Filling,
];

impl Way {
    /// As the table names it.
    pub(super) fn name(self) -> String {
        match self {
            Way::Nothing => "no admission control".into(),
            Way::Cel => "ValidatingAdmissionPolicy".into(),
            Way::Noop => "no-op webhook".into(),
            Way::Profile(profile) => format!("Portcullis, {profile}"),
            Way::Filling => "Portcullis, starter with defaults".into(),
        }
    }

    /// Which policies, as options of Portcullis; None where it is not there.
    fn policies(self) -> Option<Vec<String>> {
        let of = |profile: &str| vec!["--profile".to_owned(), profile.to_owned()];
        match self {
            Way::Nothing | Way::Cel | Way::Noop => None,
            Way::Profile(profile) => Some(of(profile)),
            Way::Filling => {
                let path = shell::root().join(FILLING).display().to_string();
                Some([of("starter"), vec!["--policies".into(), path]].concat())
            }
        }
    }

    /// What the careless pod is warned of, a word for each policy; None where
    /// it is refused.
    fn warnings(self) -> Option<&'static [&'static str]> {
        match self {
            Way::Nothing | Way::Noop => Some(&[]),
            Way::Cel | Way::Profile("starter") => Some(&["image", "probe", "resources"]),
            Way::Filling => Some(&["image", "probe"]),
            Way::Profile(_) => None,
        }
    }
}

/// A namespace and what is in the way there.
pub(super) struct Row<'c> {
    pub(super) way: Way,
    pub(super) namespace: Namespace<'c>,
    /// Who is called.
    pub(super) server: Option<Server>,
}

/// Where Services of webhooks are, and what serves.
pub(super) struct Place<'p> {
    pub(super) cluster: &'p Cluster,
    pub(super) home: &'p Namespace<'p>,
    pub(super) portcullis: &'p Path,
}

impl<'p> Place<'p> {
    /// Makes a row, and waits until it is in force.
    pub(super) fn row(&self, way: Way) -> Result<Row<'p>> {
        let namespace = self.cluster.namespace()?;
        let create = |text: &str| {
            let create = ["create", "-f", "-"];
            self.cluster.kubectl(User::Admin, &create, text)?.ok()
        };
        let server = match way {
            Way::Nothing => None,
            Way::Cel => {
                let path = shell::root().join(POLICIES);
                let text = std::fs::read_to_string(&path);
                let text = text.with_context(|| path.display().to_string())?;
                create(&text.replace("NAMESPACE", namespace.name()))?;
                None
            }
            Way::Noop => {
                let server = self.serve("noop", None)?;
                create(&self.noop_configuration(&server, &namespace)?)?;
                Some(server)
            }
            Way::Profile(_) | Way::Filling => {
                let (service, policies) = (namespace.name(), way.policies().unwrap_or_default());
                let server = self.serve(service, Some(&policies))?;
                create(&self.configuration(&server, service, &policies, &namespace)?)?;
                Some(server)
            }
        };
        let row = Row {
            way,
            namespace,
            server,
        };
        row.wait(&Access::of(&self.cluster.kubeconfig(User::Dev))?)?;
        Ok(row)
    }

    /// A Service, and who answers behind it: the no-op server without
    /// policies. By a Service the API server speaks HTTP/1.1, as in production.
    fn serve(&self, service: &str, policies: Option<&[String]>) -> Result<Server> {
        let external = "--external-name=localhost";
        let create = ["create", "service", "externalname", service, external];
        self.home.kubectl(User::Admin, &create, "")?.ok()?;
        let host = format!("{service}.{}.svc", self.home.name());
        let mut serve = match policies {
            None => Command::new(std::env::current_exe()?),
            Some(_) => Command::new(self.portcullis),
        };
        serve.arg(if policies.is_some() { "serve" } else { NOOP });
        let arguments: Vec<&str> = policies
            .iter()
            .copied()
            .flatten()
            .map(String::as_str)
            .collect();
        Server::named(serve, self.portcullis, &[&host], &arguments)
    }

    /// What Portcullis wants of the API server, for one namespace.
    fn configuration(
        &self,
        server: &Server,
        service: &str,
        policies: &[String],
        namespace: &Namespace<'_>,
    ) -> Result<String> {
        let target = format!("{}/{service}:{}", self.home.name(), server.https.port());
        let selector = format!("kubernetes.io/metadata.name={}", namespace.name());
        let mut print = Command::new(self.portcullis);
        print
            .args(["webhook-config", "--name", service])
            .args(policies)
            .args(["--service", &target, "--namespace-selector", &selector])
            .arg("--ca-file")
            .arg(server.ca());
        shell::output(&mut print)
    }

    fn noop_configuration(&self, server: &Server, namespace: &Namespace<'_>) -> Result<String> {
        // In a registration the CA stands as the API server wants it.
        let with_ca = self.configuration(server, "noop", &[], namespace)?;
        let bundle = with_ca
            .lines()
            .find_map(|line| line.split_once("caBundle: "));
        let bundle = bundle.context("a registration has a caBundle")?.1.trim();
        let name = namespace.name();
        Ok(json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "bench-noop"},
            "webhooks": [{
                "name": "noop.bench.portcullis.dev", "admissionReviewVersions": ["v1"],
                "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 3,
                "clientConfig": {"caBundle": bundle, "service": {
                    "namespace": self.home.name(), "name": "noop", "path": "/validate/fail",
                    "port": server.https.port()}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                    "operations": ["CREATE", "UPDATE"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            }],
        })
        .to_string())
    }
}

impl Row<'_> {
    /// Waits until it is as it should be: the good pod passes without a word,
    /// the bad ones do not where policies are in the way.
    fn wait(&self, access: &Access) -> Result<()> {
        let mut connection = Connection::open(access)?;
        let started = Instant::now();
        loop {
            let Err(error) = self.try_out(&mut connection) else {
                return Ok(());
            };
            ensure!(
                started.elapsed() < PATIENCE,
                "`{}` is not in force: {error:#}",
                self.way.name()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn try_out(&self, connection: &mut Connection) -> Result<()> {
        let mut ask = |manifest: Manifest| {
            connection.create(self.namespace.name(), manifest.numbered(0), "dryRun=All")
        };
        let [careful, careless, refused] = [
            ask(Manifest::careful())?,
            ask(Manifest::careless())?,
            ask(Manifest::refused())?,
        ];
        let silent = |answer: &Answer| answer.is_created() && answer.warnings.is_empty();
        let warned = |answer: &Answer, words: &[&str]| {
            let said = answer.warnings.join(" ");
            answer.is_created() && words.iter().all(|word| said.contains(word))
        };
        let [wants_careless, wants_refused] = match self.way.warnings() {
            None => [careless.is_denied(), refused.is_denied()],
            Some([]) => [silent(&careless), silent(&refused)],
            Some(words) => [warned(&careless, words), refused.is_denied()],
        };
        for (is_so, answer) in [
            (silent(&careful), careful),
            (wants_careless, careless),
            (wants_refused, refused),
        ] {
            ensure!(is_so, "it was not to be answered {}", answer.text());
        }
        Ok(())
    }
}
