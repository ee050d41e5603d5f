//! Three real repositories of manifests on a real API server: each object gets
//! the verdict that `check` gives it.

/// What `check` says.
mod expected;
/// What the API server says.
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_cluster::{Answer, Cluster, Portcullis, User};
use serde_json::{Value, json};

use crate::support::Scene;
use server::Outcome;

const CORPORA: [&str; 3] = ["pesuga-homelab", "home-k3s", "bank-of-anthos"];
/// Namespaces with it are judged here.
const LABEL: &str = "portcullis-test-corpora";
/// Groups that no CustomResourceDefinition is needed for.
const OWN_GROUPS: [&str; 4] = ["", "apps", "batch", "autoscaling"];

/// A cluster of its own: ClusterRoles are judged, and namespaces labelled that
/// other tests use.
fn cluster() -> &'static Cluster {
    static OWN: OnceLock<Cluster> = OnceLock::new();
    OWN.get_or_init(|| Cluster::start().expect("a cluster"))
}

/// An object of a corpus.
struct Given {
    /// As `check` names it, and the document in it.
    place: (String, usize),
    value: Value,
}

/// What somebody is told of an object: places and codes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Verdict {
    denied: Vec<String>,
    warned: Vec<String>,
}

/// What hangs on other objects, LimitRanges and Services: the files hold some,
/// a server without a cluster knows none.
const BY_OTHERS: [&str; 2] = [
    "[resources/resources-missing]",
    "[probes/probe-readiness-missing]",
];

impl Verdict {
    /// Without what hangs on other objects.
    fn apart(mut self) -> Verdict {
        let by_others = |line: &String| BY_OTHERS.iter().any(|code| line.contains(code));
        self.denied.retain(|line| !by_others(line));
        self.warned.retain(|line| !by_others(line));
        self
    }

    /// `check` orders by place, the webhook in the order of the policies.
    fn sorted(mut self) -> Verdict {
        self.denied.sort();
        self.warned.sort();
        self
    }
}

/// Every manifest of a corpus.
fn files(corpus: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("tests/data/corpora")
        .join(corpus)
        .join("manifests");
    let mut folders = vec![root];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in portcullis_cluster::root().join(&folder).read_dir().unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

fn objects(file: &Path) -> Vec<Given> {
    let text = std::fs::read(portcullis_cluster::root().join(file)).unwrap();
    let stream = portcullis_manifest::read(&text);
    assert!(stream.broken.is_empty(), "{}", file.display());
    let objects = stream.objects.into_iter().map(|object| Given {
        place: (file.display().to_string(), object.document),
        value: object.value,
    });
    objects.collect()
}

/// The namespaces that the objects are in, labelled; removed when dropped.
struct Namespaces(Vec<String>);

impl Namespaces {
    fn new(given: &[Given]) -> Namespaces {
        let named = given
            .iter()
            .filter_map(|one| one.value["metadata"]["namespace"].as_str());
        let system = ["default", "kube-system", "kube-public", "kube-node-lease"];
        let names: BTreeSet<&str> = named.filter(|name| !system.contains(name)).collect();
        let items: Vec<Value> = names
            .iter()
            .map(|name| {
                let metadata = json!({"name": name, "labels": {LABEL: "yes"}});
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            })
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let namespaces = Namespaces(names.into_iter().map(str::to_owned).collect());
        let create = ["create", "-f", "-"];
        let created = cluster().kubectl(User::Admin, &create, &list);
        created.and_then(Answer::ok).unwrap();
        label("yes");
        namespaces
    }
}

/// Labels the system's namespaces that the corpora use.
fn label(value: &str) {
    let label = match value {
        "" => format!("{LABEL}-"),
        value => format!("{LABEL}={value}"),
    };
    let command = ["label", "namespace", "default", "kube-system", &label];
    let labelled = cluster().kubectl(User::Admin, &command, "");
    labelled.and_then(Answer::ok).unwrap();
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        label("");
        let names = self.0.iter().map(String::as_str);
        let delete: Vec<&str> = ["delete", "namespace", "--wait=false"]
            .into_iter()
            .chain(names)
            .collect();
        let deleted = cluster().kubectl(User::Admin, &delete, "");
        deleted.and_then(Answer::ok).unwrap();
    }
}

/// Objects that the API server itself refuses, before it asks those who
/// validate, and why. `check` has no finding in them.
const INVALID: [(&str, &str); 3] = [
    // The cluster of the corpus has other addresses for its Services.
    (
        "home-k3s/manifests/mail/service-unbound.yaml",
        "is not in the valid range",
    ),
    // Patches of kustomize, which are no whole Services.
    (
        "bank-of-anthos/manifests/src/frontend/k8s/overlays/production/frontend-service.yaml",
        "spec.ports: Required value",
    ),
    (
        "bank-of-anthos/manifests/src/components/service-cluster-ip/set-type-cluster-ip.yaml",
        "spec.ports: Required value",
    ),
];

/// How many objects had which end, besides those that are judged as expected.
#[derive(Debug, Default, PartialEq, Eq)]
struct Others {
    /// No CustomResourceDefinition.
    unknown: usize,
    /// In [`INVALID`].
    invalid: usize,
}

impl Others {
    /// Takes an end that is no verdict; panics if nothing explains it.
    fn take(&mut self, given: &Given, outcome: &Outcome, expected: &Verdict) {
        let (file, _) = &given.place;
        assert_eq!(
            *expected,
            Verdict::default(),
            "{file}: its findings are not lost"
        );
        let is_known = |(path, reason): &(&str, &str), message: &str| {
            file.ends_with(path) && message.contains(reason)
        };
        match outcome {
            Outcome::Judged(verdict) => panic!("{file}: {verdict:?}"),
            Outcome::Unknown => {
                let version = given.value["apiVersion"].as_str().unwrap();
                let group = version.split_once('/').map_or("", |(group, _)| group);
                assert!(!OWN_GROUPS.contains(&group), "{file}: {version}");
                self.unknown += 1;
            }
            Outcome::Refused(422, message) => {
                let known = INVALID.iter().any(|one| is_known(one, message));
                assert!(known, "{file}: {message}");
                self.invalid += 1;
            }
            Outcome::Refused(code, message) => panic!("{file}: {code}: {message}"),
        }
    }
}

/// Portcullis registered for the namespaces of the corpora, and for one more.
fn registered(namespaces: Namespaces) -> (Scene, Namespaces) {
    let namespace = cluster().namespace().unwrap();
    let yes = format!("{LABEL}=yes");
    let label = ["label", "namespace", namespace.name(), &yes];
    let labelled = cluster().kubectl(User::Admin, &label, "");
    labelled.and_then(Answer::ok).unwrap();
    let portcullis = Portcullis::start(cluster(), &[]).unwrap();
    let registration = portcullis.register(cluster(), &[&yes]).unwrap();
    registration.wait(&portcullis, &namespace).unwrap();
    let scene = Scene {
        registration,
        portcullis,
        namespace,
    };
    (scene, namespaces)
}

/// `kubectl apply` says of a few files what the raw answers say.
fn try_kubectl(expected: &BTreeMap<(String, usize), Verdict>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = usize::try_from(now.as_secs()).unwrap();
    eprintln!("seed {seed}");
    let files: Vec<&String> = expected.keys().map(|(file, _)| file).collect();
    for step in 0..4 {
        let file = files[(seed + step * files.len() / 4) % files.len()];
        let apply = ["apply", "--dry-run=server", "-f", file];
        let answer = cluster().kubectl(User::Admin, &apply, "").unwrap();
        let verdicts = expected.iter().filter(|((name, _), _)| name == file);
        for (_, verdict) in verdicts {
            assert!(
                verdict.denied.is_empty() || answer.code == 1,
                "{file}: {answer:?}"
            );
            for line in verdict.denied.iter().chain(&verdict.warned) {
                assert!(answer.stderr.contains(line), "{file}: {line}: {answer:?}");
            }
        }
    }
}

#[test]
fn each_object_is_judged_as_check_judges_it() {
    let files = CORPORA.iter().flat_map(|corpus| files(corpus));
    let given: Vec<Given> = files.flat_map(|file| objects(&file)).collect();
    let expected = expected::all();
    let (scene, _namespaces) = registered(Namespaces::new(&given));
    let (mut others, mut judged, mut denied) = (Others::default(), 0, 0);
    let none = Verdict::default();
    for (one, outcome) in given
        .iter()
        .zip(server::ask(&given, scene.namespace.name()))
    {
        let expected = expected.get(&one.place).unwrap_or(&none);
        let Outcome::Judged(verdict) = outcome else {
            others.take(one, &outcome, expected);
            continue;
        };
        let (found, wanted) = (verdict.sorted().apart(), expected.clone().apart());
        assert_eq!(found, wanted, "{:?}", one.place);
        judged += 1;
        denied += usize::from(!expected.denied.is_empty());
    }
    let others_expected = Others {
        unknown: 498,
        invalid: 3,
    };
    assert_eq!(others, others_expected);
    assert_eq!((judged, denied), (1300, 32));
    try_kubectl(&expected);
}
