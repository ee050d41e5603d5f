use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::{Request, header::CONTENT_TYPE};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::{Discovery, Scope};
use kube::{Client, Config};
use portcullis_cluster::User;
use serde_json::Value;

use super::{Given, Verdict, cluster};

/// Requests under way at once.
const AT_ONCE: usize = 8;

/// What became of an object.
pub(super) enum Outcome {
    /// The API server does not know its kind.
    Unknown,
    /// Refused by somebody else than us: code, reason and message.
    Refused(u64, String),
    /// Judged by us, or not asked about.
    Judged(Verdict),
}

/// The API server of the cluster, and the kinds that it knows.
pub(super) struct Server<'a> {
    client: Client,
    /// Where an object without a namespace goes.
    namespace: &'a str,
    kinds: Discovery,
}

/// Creates each object with `dryRun=All`, as `kubectl apply` and `create` do;
/// one without a namespace in `namespace`, as with `--namespace`.
pub(super) fn ask(given: &[Given], namespace: &str) -> Vec<Outcome> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        let server = Server::new(namespace).await;
        let answers = stream::iter(given).map(|one| server.create(&one.value));
        answers.buffered(AT_ONCE).collect().await
    })
}

impl Server<'_> {
    async fn new(namespace: &str) -> Server<'_> {
        let config = Kubeconfig::read_from(cluster().kubeconfig(User::Admin)).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(config, &options)
            .await
            .unwrap();
        let client = Client::try_from(config).unwrap();
        let kinds = Discovery::new(client.clone()).run().await.unwrap();
        Server {
            client,
            namespace,
            kinds,
        }
    }

    /// Where objects like this one are created; None if nobody knows the kind.
    fn path(&self, object: &Value) -> Option<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let version = text(&object["apiVersion"]);
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let kind = GroupVersionKind::gvk(group, version, &text(&object["kind"]));
        let (resource, capabilities) = self.kinds.resolve_gvk(&kind)?;
        let namespace = match object["metadata"]["namespace"].as_str() {
            _ if capabilities.scope == Scope::Cluster => None,
            None => Some(self.namespace),
            named => named,
        };
        Some(resource_path(
            &resource.api_version,
            namespace,
            &resource.plural,
        ))
    }

    async fn create(&self, object: &Value) -> Outcome {
        let Some(path) = self.path(object) else {
            return Outcome::Unknown;
        };
        let query = "dryRun=All&fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
        let request = Request::post(format!("{path}?{query}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(object.to_string().into_bytes()));
        let response = self.client.send(request.unwrap()).await.unwrap();
        let warnings = response.headers().get_all("warning").iter();
        let warned: Vec<String> = warnings
            .filter_map(|value| ours(&unquoted(value.to_str().unwrap())))
            .collect();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let message = answer["message"].as_str().unwrap_or_default();
        let denied: Vec<String> = message.lines().filter_map(ours).collect();
        match code {
            // That a name is taken is found out after admission.
            200..300 | 409 => Outcome::Judged(Verdict { denied, warned }),
            403 if !denied.is_empty() => Outcome::Judged(Verdict { denied, warned }),
            code => Outcome::Refused(code.into(), message.to_owned()),
        }
    }
}

fn resource_path(version: &str, namespace: Option<&str>, plural: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    match namespace {
        None => format!("/{root}/{version}/{plural}"),
        Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
    }
}

/// The text of a header `Warning: 299 - "TEXT"`.
fn unquoted(header: &str) -> String {
    let text = header.split_once('"').map_or("", |(_, text)| text);
    let text = text.strip_suffix('"').unwrap_or(text);
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// Place and code of a line of ours: ``... (container `a`, PLACE) [policy/code]``.
fn ours(line: &str) -> Option<String> {
    let code = line.strip_suffix(']')?.rsplit_once('[')?.1;
    let (policy, _) = code.split_once('/')?;
    let is_ours = portcullis_cluster::root()
        .join("policies")
        .join(policy)
        .is_dir();
    let start = line.rfind(" (")?;
    is_ours.then(|| line[start + 1..].to_owned())
}
