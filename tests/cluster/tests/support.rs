use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_cluster::{Cluster, Namespace, Portcullis, Registration, shared};
use serde_json::Value;

/// A namespace, and Portcullis registered for it alone.
pub(crate) struct Scene {
    // In the order in which they have to go.
    pub(crate) registration: Registration<'static>,
    pub(crate) portcullis: Portcullis,
    pub(crate) namespace: Namespace<'static>,
}

pub(crate) fn cluster() -> &'static Cluster {
    shared().expect("a cluster")
}

/// The seed of this run, which is printed so that it can be tried again.
pub(crate) fn seed() -> u64 {
    let asked = std::env::var("PORTCULLIS_SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let asked = asked.and_then(|seed| seed.parse().ok());
    let seed = asked.unwrap_or_else(|| now.expect("after 1970").as_secs());
    eprintln!("PORTCULLIS_SEED={seed}");
    seed
}

/// Numbers that nobody could have guessed, and that come again by their seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// One of `0..most`.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        // Knuth's MMIX; its high bits are the better ones.
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }
}

impl Scene {
    /// With these options of `serve`.
    pub(crate) fn new(arguments: &[&str]) -> Scene {
        Scene::of(cluster().namespace().expect("a namespace"), arguments)
    }

    /// With this WasmPolicy document and no other.
    pub(crate) fn with_policy(namespace: Namespace<'static>, document: &str) -> Scene {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-policy-{}-{number}.yaml", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, document).expect("a temporary file");
        let policy = file.display().to_string();
        let scene = Scene::of(namespace, &["--profile", "none", "--policies", &policy]);
        std::fs::remove_file(&file).expect("the file is there");
        scene
    }

    /// In a namespace that has something in it already.
    pub(crate) fn of(namespace: Namespace<'static>, arguments: &[&str]) -> Scene {
        let portcullis = Portcullis::start(cluster(), arguments).expect("it serves");
        let registration = portcullis
            .register(cluster(), &[&named(&namespace)])
            .expect("a registration");
        registration
            .wait(&portcullis, &namespace)
            .expect("the API server calls");
        Scene {
            registration,
            portcullis,
            namespace,
        }
    }
}

/// What nobody wrote down is filled in; what is not in order after that is
/// refused.
pub(crate) const DEFAULTS: &str = r#"
apiVersion: portcullis.dev/v1alpha1
kind: WasmPolicy
metadata: {name: resources}
spec:
  program: {builtin: resources}
  validationActions: [Deny]
  settings:
    defaults:
      otherwise: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 64Mi}}
"#;

/// The requirement that only this namespace fulfils.
pub(crate) fn named(namespace: &Namespace<'_>) -> String {
    format!("kubernetes.io/metadata.name={}", namespace.name())
}

/// A Deployment of one container.
pub(crate) fn deployment(name: &str, image: &str) -> String {
    serde_json::json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "a", "image": image}]},
            },
        },
    })
    .to_string()
}

/// Group, resource and verb of each right that a role grants.
pub(crate) fn rights_of(role: &Value) -> BTreeSet<[String; 3]> {
    let mut rights = BTreeSet::new();
    let list = |value: &Value| -> Vec<String> {
        let values = value.as_array().into_iter().flatten();
        values
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rights.insert([group.clone(), resource.clone(), verb]);
                }
            }
        }
    }
    rights
}
