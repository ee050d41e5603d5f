use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Config, ResourceExt};
use portcullis_cluster::User;
use portcullis_cluster::proxy::{Fault, Rule};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Bench;

/// Longer than any of the watcher's pauses here.
const PATIENCE: Duration = Duration::from_secs(30);

async fn client(bench: &Bench) -> Client {
    let (config, options) = (
        Kubeconfig::read_from(&bench.config),
        KubeConfigOptions::default(),
    );
    let config = Config::from_custom_kubeconfig(config.unwrap(), &options);
    Client::try_from(config.await.unwrap()).unwrap()
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test)
}

fn configmap(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// The names that a watcher believes to be there, each time it changes its mind.
fn beliefs(api: Api<ConfigMap>) -> UnboundedReceiver<BTreeSet<String>> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut events = watch(api, watcher::Config::default())
            .backoff(Pause)
            .boxed();
        let (mut names, mut fresh) = (BTreeSet::new(), BTreeSet::new());
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(one)) => drop(names.insert(one.name_any())),
                Ok(Event::Delete(one)) => drop(names.remove(&one.name_any())),
                Ok(Event::Init) => fresh.clear(),
                Ok(Event::InitApply(one)) => drop(fresh.insert(one.name_any())),
                Ok(Event::InitDone) => names = std::mem::take(&mut fresh),
                // It goes on by itself.
                Err(_) => continue,
            }
            if sender.send(names.clone()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A watcher in a test need not wait long.
struct Pause;

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(100))
    }
}

impl kube::runtime::utils::Backoff for Pause {
    fn reset(&mut self) {}
}

async fn until(beliefs: &mut UnboundedReceiver<BTreeSet<String>>, expected: &[&str]) {
    let system = "kube-root-ca.crt";
    let expected: BTreeSet<String> = expected
        .iter()
        .chain([&system])
        .map(ToString::to_string)
        .collect();
    let mut last = BTreeSet::new();
    let reached = tokio::time::timeout(PATIENCE, async {
        while last != expected {
            last = beliefs.recv().await.expect("the watcher goes on");
        }
    });
    if reached.await.is_err() {
        panic!("the watcher never believed {expected:?}");
    }
}

/// Asks until it holds.
async fn soon(holds: impl Fn() -> bool) {
    let held = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    held.await.expect("it holds in the end");
}

#[test]
fn a_watcher_neither_loses_nor_invents_anything_whatever_befalls_it() {
    let bench = Bench::new();
    let past = |arguments: &[&str]| {
        bench
            .namespace
            .kubectl(User::Admin, arguments, "")
            .unwrap()
            .ok()
            .unwrap();
    };
    block_on(async {
        let api: Api<ConfigMap> = Api::namespaced(client(&bench).await, bench.namespace.name());
        let on_watch = |fault| Rule::new(fault).verb("watch").resource("configmaps");
        let mut beliefs = beliefs(api.clone());
        until(&mut beliefs, &[]).await;

        // Told in the middle that its version is too old; the next watches fail.
        let gone = bench.proxy.inject(on_watch(Fault::Gone).calls(1..=2));
        let event = bench
            .proxy
            .inject(on_watch(Fault::ExpiredEvent).calls(3..=4));
        // What it believed first came from a list.
        soon(|| bench.proxy.expire_watches("configmaps") > 0).await;
        past(&["create", "configmap", "a"]);
        until(&mut beliefs, &["a"]).await;
        soon(|| gone.hits() == 2 && event.hits() == 2).await;

        // Gone for a time in which something is deleted and something made.
        let outage = bench.proxy.outage();
        past(&["delete", "configmap", "a"]);
        past(&["create", "configmap", "b"]);
        drop(outage);
        until(&mut beliefs, &["b"]).await;
        api.create(&PostParams::default(), &configmap("c"))
            .await
            .unwrap();
        until(&mut beliefs, &["b", "c"]).await;
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_an_error_to_the_client_and_is_there() {
    let bench = Bench::new();
    block_on(async {
        let api: Api<ConfigMap> = Api::namespaced(client(&bench).await, bench.namespace.name());
        let after = Rule::new(Fault::ResetAfter)
            .verb("create")
            .resource("configmaps");
        let injection = bench.proxy.inject(after.calls(1..=1));
        let lost = api.create(&PostParams::default(), &configmap("a")).await;
        assert!(lost.is_err());
        assert_eq!(injection.hits(), 1);
        let again = api.create(&PostParams::default(), &configmap("a")).await;
        let Err(kube::Error::Api(status)) = again else {
            panic!("{again:?}");
        };
        assert_eq!(
            (status.code, status.reason.as_str()),
            (409, "AlreadyExists")
        );
    });
}
