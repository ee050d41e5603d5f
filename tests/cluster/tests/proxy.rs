//! The proxy that makes calls to the API server go wrong, by itself.

/// What kubectl says of each fault.
mod faults;
/// Watches of the client that Portcullis uses.
mod watches;

use std::path::PathBuf;

use portcullis_cluster::proxy::{Access, Proxy};
use portcullis_cluster::{Answer, Namespace, User};

use crate::support::cluster;

/// A proxy, and a service account that may edit in a namespace.
struct Bench {
    config: PathBuf,
    proxy: Proxy<'static>,
    namespace: Namespace<'static>,
}

impl Bench {
    fn new() -> Bench {
        let namespace = cluster().namespace().unwrap();
        let proxy = Proxy::start(cluster()).unwrap();
        let admin = |arguments: &[&str]| {
            let done = namespace.kubectl(User::Admin, arguments, "");
            done.and_then(Answer::ok).unwrap();
        };
        let account = format!("--serviceaccount={}:robot", namespace.name());
        admin(&["create", "serviceaccount", "robot"]);
        admin(&[
            "create",
            "rolebinding",
            "robot",
            "--clusterrole=edit",
            &account,
        ]);
        Bench {
            config: proxy.kubeconfig(namespace.name(), "robot").unwrap(),
            proxy,
            namespace,
        }
    }

    /// As the service account, through the proxy.
    fn kubectl(&self, arguments: &[&str]) -> Answer {
        self.kubectl_with(arguments, "")
    }

    fn kubectl_with(&self, arguments: &[&str], stdin: &str) -> Answer {
        let arguments = [&["--namespace", self.namespace.name()], arguments].concat();
        self.proxy.kubectl(&self.config, &arguments, stdin).unwrap()
    }

    /// Makes a ConfigMap in the way that tells of the server's errors in full.
    fn create(&self, configmap: &str) -> Answer {
        let manifest = format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{configmap}"}}}}"#
        );
        self.kubectl_with(&["create", "-f", "-"], &manifest)
    }

    /// As an administrator, past the proxy.
    fn is_there(&self, configmap: &str) -> bool {
        let get = ["get", "configmap", configmap];
        self.namespace.kubectl(User::Admin, &get, "").unwrap().code == 0
    }

    fn account(&self) -> String {
        format!("system:serviceaccount:{}:robot", self.namespace.name())
    }

    /// How often it was asked to do that with ConfigMaps.
    fn count(&self, verb: &str) -> u64 {
        let access = Access {
            account: self.account(),
            verb: verb.to_owned(),
            group: String::new(),
            resource: "configmaps".to_owned(),
        };
        self.proxy.counts().get(&access).copied().unwrap_or(0)
    }
}

#[test]
fn what_passes_is_as_without_it_and_is_counted_by_account_and_verb() {
    let bench = Bench::new();
    let created = bench.kubectl(&["create", "configmap", "a", "--from-literal=k=v"]);
    assert_eq!(created.ok().unwrap(), "configmap/a created\n");
    let value = bench.kubectl(&["get", "configmap", "a", "-o", "jsonpath={.data.k}"]);
    assert_eq!(value.ok().unwrap(), "v");
    bench.kubectl(&["get", "configmaps"]).ok().unwrap();
    let waited = bench.kubectl(&["wait", "--for=jsonpath={.data.k}=v", "configmap/a"]);
    waited.ok().unwrap();
    bench.kubectl(&["delete", "configmap", "a"]).ok().unwrap();
    assert!(!bench.is_there("a"));
    for (verb, least) in [("create", 1), ("get", 1), ("list", 1), ("delete", 1)] {
        assert!(
            bench.count(verb) >= least,
            "{verb}: {:?}",
            bench.proxy.counts()
        );
    }
    assert_eq!(bench.count("create"), 1);
    assert_eq!(bench.count("deletecollection"), 0);
}

#[test]
fn who_has_no_right_has_none_through_it_either() {
    let bench = Bench::new();
    let refused = bench.kubectl(&["get", "nodes"]);
    assert_eq!(refused.code, 1);
    let user = format!(
        "User \"{}\" cannot list resource \"nodes\"",
        bench.account()
    );
    assert!(refused.stderr.contains(&user), "{refused:?}");
}
