use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use portcullis_cluster::User;
use serde_json::{Value, json};

use super::{Stage, Turn, apply, policy};
use crate::support::{cluster, deployment};

/// Requests at once.
const CALLERS: usize = 4;

/// Requests, and changes while they are made: all with PORTCULLIS_FULL, a
/// share of them otherwise.
fn amounts() -> (usize, usize) {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => (10_000, 200),
        None => (1_000, 20),
    }
}

pub(crate) async fn client(user: User) -> Client {
    client_of(&cluster().kubeconfig(user)).await
}

/// Who this kubeconfig names, in its cluster.
pub(crate) async fn client_of(kubeconfig: &Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options)
        .await
        .expect("a configuration");
    Client::try_from(config).expect("a client")
}

/// What becomes of requests that have to be denied, whatever changes: those
/// that were not.
async fn call(client: Client, namespace: &str, done: &AtomicUsize, most: usize) -> Vec<String> {
    let kind = GroupVersionKind::gvk("apps", "v1", "Deployment");
    let api: Api<DynamicObject> =
        Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind));
    let object: DynamicObject =
        serde_json::from_str(&deployment("web", "nginx:latest")).expect("an object");
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut wrong = Vec::new();
    while done.fetch_add(1, Ordering::Relaxed) < most {
        match api.create(&dry_run, &object).await {
            Err(kube::Error::Api(status))
                if status.code == 403 && status.message.contains("nginx:latest") => {}
            other => wrong.push(format!("{other:?}").chars().take(500).collect()),
        }
    }
    wrong
}

/// The change of this number: of what happens besides a denial, of limits
/// (which loads the program anew), and of whether another policy is there.
async fn change(api: &Api<DynamicObject>, number: usize, other: &Value) {
    let actions = [json!(["Deny"]), json!(["Deny", "Audit"])];
    let spec = json!({"spec": {"validationActions": actions[number % 2],
        "limits": {"deadlineMilliseconds": 1_000 + number}}});
    let changed = api
        .patch("tags", &PatchParams::default(), &Patch::Merge(spec))
        .await;
    changed.expect("a change");
    let force = PatchParams::apply("test").force();
    match number % 4 {
        0 => {
            let applied = api.patch("other", &force, &Patch::Apply(other)).await;
            applied.expect("another policy");
        }
        2 => {
            let deleted = api.delete("other", &DeleteParams::default()).await;
            deleted.expect("another policy less");
        }
        _ => {}
    }
}

#[test]
fn no_request_is_dropped_or_judged_by_half_a_set_while_policies_change() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let (requests, changes) = amounts();
    let mut document = policy(&stage.namespace, "tags");
    // A machine that does other things, too, is no reason to fail.
    document["spec"]["limits"] = json!({"deadlineMilliseconds": 1_000});
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    let mut other = policy(&stage.namespace, "other");
    other["spec"]["validationActions"] = json!(["Warn"]);
    other["spec"]["failurePolicy"] = json!("Ignore");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let done = AtomicUsize::new(0);
    let wrong: Vec<String> = runtime.block_on(async {
        let (admin, dev) = (client(User::Admin).await, client(User::Dev).await);
        let api = Api::all_with(admin, &wasm_policies());
        let namespace = stage.namespace.name();
        let calls = (0..CALLERS).map(|_| call(dev.clone(), namespace, &done, requests));
        let changing = async {
            for number in 0..changes {
                while done.load(Ordering::Relaxed) < number * requests / changes {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                change(&api, number, &other).await;
            }
        };
        let (wrong, ()) = tokio::join!(futures_util::future::join_all(calls), changing);
        wrong.into_iter().flatten().collect()
    });
    assert!(
        wrong.is_empty(),
        "{} of {requests} were not denied: {:#?}",
        wrong.len(),
        wrong.first()
    );
    let taken = stage.portcullis.reloads().unwrap();
    assert!(
        taken * 2 > changes as u64,
        "{taken} sets for {changes} changes"
    );
}

fn wasm_policies() -> ApiResource {
    let kind = GroupVersionKind::gvk("portcullis.dev", "v1alpha1", "WasmPolicy");
    ApiResource::from_gvk_with_plural(&kind, "wasmpolicies")
}
