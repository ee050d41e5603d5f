use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::cluster::certificates::Lifetimes;
use crate::cluster::certificates::contents::Contents;
use crate::cluster::crd;
use crate::cluster::safety::World;
use crate::cluster::state::{How, State};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

fn certificates(at: i64) -> Contents {
    let names = ["portcullis.portcullis.svc".to_owned()];
    Contents::begin(&names, at, &Lifetimes::default()).expect("made")
}

fn secret(contents: &Contents) -> Secret {
    Secret {
        data: Some(contents.data()),
        ..Secret::default()
    }
}

fn stored(state: &State) -> Option<Option<ConfigMap>> {
    Some(Some(ConfigMap {
        data: Some(state.data()),
        ..ConfigMap::default()
    }))
}

/// A configuration as the API server has it.
fn configuration(kind: &str, name: &str, bundle: &str) -> Value {
    json!({
        "kind": kind,
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "name": "portcullis-installation", "uid": "u"}],
            "managedFields": [{"manager": "portcullis", "fieldsV1": {"f:webhooks": {}}}],
        },
        "webhooks": [{
            "name": "fail.portcullis.dev",
            "failurePolicy": "Fail",
            "clientConfig": {"caBundle": STANDARD.encode(bundle)},
            "namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name",
                "operator": "NotIn", "values": ["portcullis", "kube-system"]}]},
            "rules": [{"apiGroups": ["", "apps"], "apiVersions": ["*"],
                "resources": ["pods", "deployments"], "operations": ["CREATE"], "scope": "*"}],
        }],
    })
}

fn pod(name: &str, image: &str, is_ready: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "portcullis", "image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": is_ready}],
            "containerStatuses": [{"imageID": ""}]},
    })
}

fn policy(loaded: &str) -> Value {
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "R",
        "message": "the settings are refused", "lastTransitionTime": "2027-01-01T00:00:00Z"})
    };
    json!({
        "metadata": {"name": "tags", "generation": 2},
        "status": {"observedGeneration": 2,
            "conditions": [condition("Loaded", loaded), condition("Registered", "True")]},
    })
}

fn world() -> World {
    let names = ["portcullis", "kube-system", "network"];
    let namespaces = names.map(|name| {
        let labels = json!({"kubernetes.io/metadata.name": name});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).expect("one")
    });
    World {
        namespaces: namespaces.to_vec(),
        ..World::default()
    }
}

/// What the manifests grant, as the API server has it.
fn granted() -> Vec<(Option<String>, Value)> {
    let text = include_str!("../../../deploy/rbac.yaml");
    let documents = text.split("\n---\n");
    let parsed = documents.map(|text| portcullis_manifest::parse_document(text.as_bytes()));
    let parsed = parsed.map(|one| one.expect("YAML"));
    let roles = parsed.filter(|one| one["kind"] == "ClusterRole" || one["kind"] == "Role");
    let at = |role: &Value| role["metadata"]["namespace"].as_str().map(str::to_owned);
    roles.map(|role| (at(&role), role)).collect()
}

fn healthy() -> Seen {
    let contents = certificates(NOW - DAY);
    let bundle = contents.bundle();
    let mut state = State::default();
    state.say("Registered", true, "AsAsked", "", "t");
    state.say("FailWithheld", false, "AsAsked", "", "t");
    let kinds = [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    Seen {
        place: Place {
            namespace: "portcullis".into(),
            registration: "portcullis".into(),
            service: "portcullis".into(),
        },
        now: Timestamp::from_second(NOW).expect("a time"),
        unseen: vec![],
        webhooks: kinds.map(|kind| Some(vec![configuration(kind, "portcullis", &bundle)])),
        world: Some(world()),
        service: Some(json!({"spec": {"type": "ClusterIP", "selector": {"app": "portcullis"}}})),
        slices: Some(vec![
            json!({"endpoints": [{"conditions": {"ready": true}}]}),
        ]),
        secret: Some(Some(secret(&contents))),
        state: stored(&state),
        lease: Some(json!({"spec": {"holderIdentity": "a", "renewTime": "2027-01-15T07:59:50Z"}})),
        pods: Some(vec![pod("a", "p:1", "True"), pod("b", "p:1", "True")]),
        budgets: Some(vec![
            json!({"metadata": {"name": "p"}, "status": {"currentHealthy": 2, "desiredHealthy": 1}}),
        ]),
        definition: Some(crd::definition()),
        policies: Some(vec![policy("True")]),
        anchor: Some(
            json!({"metadata": {"name": "portcullis-installation", "uid": "u",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "portcullis", "uid": "n"}]}}),
        ),
        rights: Some(granted()),
    }
}

fn said_of(seen: &State) -> impl Fn(&mut Seen) + use<> {
    let state = seen.clone();
    move |seen| seen.state = stored(&state)
}

/// A state that says one more thing.
fn says(kind: &str, status: bool, reason: &str, message: &str) -> State {
    let mut state = State::default();
    state.say(kind, status, reason, message, "2027-01-01T00:00:00Z");
    state
}

fn ours(seen: &mut Seen, index: usize) -> &mut Value {
    &mut seen.webhooks[index].as_mut().expect("seen")[0]
}

/// Somebody else's configuration beside ours.
fn other<'s>(seen: &'s mut Seen, index: usize, name: &str, selector: Value) -> &'s mut Value {
    let mut other = configuration("K", name, "x");
    other["webhooks"][0]["namespaceSelector"] = selector;
    let all = seen.webhooks[index].as_mut().expect("seen");
    all.push(other);
    all.last_mut().expect("it is there")
}

type Break = Box<dyn Fn(&mut Seen)>;

fn case(break_it: impl Fn(&mut Seen) + 'static) -> Break {
    Box::new(break_it)
}

/// What is broken, which check says so, how bad it is, and what it says.
fn broken() -> Vec<(&'static str, Grade, &'static str, Break)> {
    use Grade::{Note, Problem};
    let mut paused = State::default();
    paused.take_away(How::Paused, "jane", "2027-01-01T00:00:00Z");
    let mut withheld = says(
        "FailWithheld",
        true,
        "NeededToStart",
        "network holds the pod network",
    );
    withheld.withheld_by.insert("network".into());
    let kept = says(
        "CertificatesKept",
        false,
        "Problem",
        "the Secret is of somebody else",
    );
    let open = says(
        "Registered",
        true,
        "FailsOpen",
        "failurePolicy is Ignore at first",
    );
    let cni = json!({"metadata": {"name": "cni", "namespace": "network"}, "spec": {"selector": {}, "template":
        {"spec": {"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/etc/cni/net.d"}}]}}}});
    vec![
        (
            "manifests",
            Problem,
            "no kind WasmPolicy",
            case(|seen| seen.definition = Some(Value::Null)),
        ),
        (
            "manifests",
            Problem,
            "is not that of portcullis",
            case(|seen| {
                let definition = seen.definition.as_mut().expect("seen");
                definition["spec"]["versions"][0]["schema"] = json!({});
            }),
        ),
        (
            "rights",
            Problem,
            "lacks rights: patch wasmpolicies/status",
            case(|seen| {
                for (_, role) in seen.rights.iter_mut().flatten() {
                    let rules = role["rules"].as_array_mut().expect("rules");
                    rules.retain(|rule| rule["resources"][0] != "wasmpolicies/status");
                }
            }),
        ),
        (
            "rights",
            Problem,
            "create secrets in portcullis",
            case(|seen| {
                seen.rights
                    .as_mut()
                    .expect("seen")
                    .retain(|(at, _)| at.as_deref() != Some("portcullis"));
            }),
        ),
        (
            "anchor",
            Problem,
            "ClusterRole portcullis-installation is not there",
            case(|seen| seen.anchor = Some(Value::Null)),
        ),
        (
            "anchor",
            Problem,
            "is not owned by ClusterRole",
            case(|seen| {
                ours(seen, 1)["metadata"]["ownerReferences"] = json!([]);
            }),
        ),
        (
            "anchor",
            Note,
            "does not go with namespace portcullis",
            case(|seen| {
                let anchor = seen.anchor.as_mut().expect("seen");
                anchor["metadata"]["ownerReferences"] = json!([]);
            }),
        ),
        (
            "replicas",
            Problem,
            "replica b is not ready",
            case(|seen| {
                seen.pods = Some(vec![pod("a", "p:1", "True"), pod("b", "p:1", "False")]);
            }),
        ),
        (
            "replicas",
            Note,
            "there is one replica",
            case(|seen| seen.pods = Some(vec![pod("a", "p:1", "True")])),
        ),
        (
            "replicas",
            Problem,
            "wants 2 healthy replicas, and 1 are",
            case(|seen| {
                seen.budgets.as_mut().expect("seen")[0]["status"] =
                    json!({"currentHealthy": 1, "desiredHealthy": 2});
            }),
        ),
        (
            "versions",
            Problem,
            "1 of p:1, 1 of p:2",
            case(|seen| {
                seen.pods = Some(vec![pod("a", "p:1", "True"), pod("b", "p:2", "True")]);
            }),
        ),
        (
            "leader",
            Problem,
            "no replica leads",
            case(|seen| seen.lease = Some(Value::Null)),
        ),
        (
            "leader",
            Problem,
            "has not renewed the Lease",
            case(|seen| {
                seen.lease.as_mut().expect("seen")["spec"]["renewTime"] =
                    "2027-01-15T07:58:00Z".into();
            }),
        ),
        (
            "endpoints",
            Problem,
            "Service portcullis/portcullis is not there",
            case(|seen| seen.service = Some(Value::Null)),
        ),
        (
            "endpoints",
            Problem,
            "has no endpoint that is ready",
            case(|seen| {
                seen.slices = Some(vec![
                    json!({"endpoints": [{"conditions": {"ready": false}}]}),
                ]);
            }),
        ),
        (
            "certificate",
            Problem,
            "expires in 8 days",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 22 * DAY + 600))));
            }),
        ),
        (
            "certificate",
            Note,
            "expires in 12 days",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 18 * DAY + 600))));
            }),
        ),
        (
            "certificate",
            Problem,
            "has expired",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 40 * DAY))));
            }),
        ),
        (
            "certificate",
            Problem,
            "`tls.key`",
            case(|seen| {
                let secret = seen.secret.as_mut().and_then(Option::as_mut).expect("seen");
                secret.data.as_mut().expect("data").remove("tls.key");
            }),
        ),
        (
            "certificate",
            Problem,
            "is not for other.portcullis.svc",
            case(|seen| seen.place.service = "other".into()),
        ),
        (
            "policies",
            Problem,
            "policy tags is not loaded: the settings are refused",
            case(|seen| seen.policies = Some(vec![policy("False")])),
        ),
        (
            "policies",
            Problem,
            "nobody has looked at policy tags",
            case(|seen| {
                seen.policies.as_mut().expect("seen")[0]["metadata"]["generation"] = 3.into();
            }),
        ),
        (
            "policies",
            Note,
            "has no WasmPolicies",
            case(|seen| seen.policies = Some(vec![])),
        ),
        (
            "registration",
            Problem,
            "was paused by jane at 2027-01-01",
            case(said_of(&paused)),
        ),
        (
            "registration",
            Problem,
            "MutatingWebhookConfiguration portcullis is not there",
            case(|seen| seen.webhooks[1] = Some(vec![])),
        ),
        (
            "registration",
            Problem,
            "nothing is registered or mended",
            case(|seen| {
                let map = seen.state.as_mut().and_then(Option::as_mut).expect("seen");
                map.data = Some([("state.json".to_owned(), "{".to_owned())].into());
            }),
        ),
        (
            "conditions",
            Problem,
            "CertificatesKept is Problem",
            case(said_of(&kept)),
        ),
        (
            "conditions",
            Note,
            "failurePolicy is Ignore at first",
            case(said_of(&open)),
        ),
        (
            "ca-bundle",
            Problem,
            "does not hold the CA",
            case(|seen| {
                let stranger = STANDARD.encode(certificates(NOW).bundle());
                ours(seen, 0)["webhooks"][0]["clientConfig"]["caBundle"] = stranger.into();
            }),
        ),
        (
            "ca-bundle",
            Problem,
            "have no caBundle",
            case(|seen| {
                ours(seen, 0)["webhooks"][0]["clientConfig"] = json!({});
            }),
        ),
        (
            "fail-closed",
            Problem,
            "network holds the pod network",
            case(said_of(&withheld)),
        ),
        (
            "own-namespace",
            Problem,
            "our own entry fail.portcullis.dev judges namespace portcullis",
            case(|seen| {
                ours(seen, 0)["webhooks"][0]["namespaceSelector"] = json!({});
            }),
        ),
        (
            "own-namespace",
            Note,
            "K theirs, entry fail.portcullis.dev, fails closed",
            case(|seen| {
                other(seen, 0, "theirs", json!({}));
            }),
        ),
        (
            "all-replicas-gone",
            Problem,
            "judges namespace network, which holds the pod network",
            case(move |seen| {
                let set = serde_json::from_value(cni.clone()).expect("a DaemonSet");
                seen.world.as_mut().expect("seen").daemon_sets.push(set);
            }),
        ),
        (
            "other-writers",
            Problem,
            "`argocd-controller` writes the caBundle, too",
            case(|seen| {
                let fields = json!({"f:webhooks": {"k:{\"name\":\"a\"}": {"f:clientConfig": {"f:caBundle": {}}}}});
                let list = ours(seen, 0)["metadata"]["managedFields"].as_array_mut();
                list.expect("managers")
                    .push(json!({"manager": "argocd-controller", "time": "t", "fieldsV1": fields}));
            }),
        ),
        (
            "other-webhooks",
            Note,
            "zz is asked after ours",
            case(|seen| {
                let selector = json!({"matchLabels": {"zz": "yes"}});
                other(seen, 1, "zz", selector)["webhooks"][0]["reinvocationPolicy"] =
                    "IfNeeded".into();
            }),
        ),
    ]
}

#[test]
fn nothing_is_said_of_an_installation_in_order() {
    let lines = diagnose(&healthy());
    assert_eq!(lines, [], "{lines:#?}");
    assert_eq!(exit_code(&lines), 0);
}

#[test]
fn each_check_says_what_is_wrong_and_how_to_mend_it() {
    for (check, grade, text, break_it) in broken() {
        let mut seen = healthy();
        break_it(&mut seen);
        let lines = diagnose(&seen);
        let said = lines
            .iter()
            .find(|line| line.check == check && line.message.contains(text));
        let said = said.unwrap_or_else(|| panic!("{check}: {text}: {lines:#?}"));
        assert_eq!(said.grade, grade, "{said:?}");
        assert!(
            !said.remedy.is_empty() && !said.message.contains('\n'),
            "{said:?}"
        );
        assert_eq!(
            exit_code(&[said.clone()]),
            u8::from(grade == Grade::Problem)
        );
    }
    let broken: BTreeSet<&str> = broken().iter().map(|(check, ..)| *check).collect();
    assert_eq!(broken, checks().collect(), "each check has a case");
}

#[test]
fn webhooks_that_leave_us_alone_are_not_told() {
    let mut seen = healthy();
    other(&mut seen, 0, "open", json!({}))["webhooks"][0]["failurePolicy"] = "Ignore".into();
    other(
        &mut seen,
        0,
        "elsewhere",
        json!({"matchLabels": {"a": "b"}}),
    );
    other(&mut seen, 1, "before", json!({"matchLabels": {"a": "b"}}))["webhooks"][0]["reinvocationPolicy"] =
        "IfNeeded".into();
    let lines = diagnose(&seen);
    assert_eq!(lines, [], "{lines:#?}");
}

#[test]
fn what_could_not_be_looked_at_is_told_and_not_judged() {
    let nothing = Seen {
        place: healthy().place,
        unseen: vec![("secret portcullis-certificates".into(), "forbidden".into())],
        ..Seen::default()
    };
    let lines = diagnose(&nothing);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((lines[0].grade, exit_code(&lines)), (Grade::Unknown, 2));
    let text = render::human(&lines, "namespace portcullis");
    assert!(
        text.contains("secret portcullis-certificates could not be looked at: forbidden"),
        "{text}"
    );
}

#[test]
fn the_page_of_the_doctor_names_each_check() {
    let page = include_str!("../../../docs/doctor.md");
    for check in checks().chain(["access"]) {
        assert!(
            page.contains(&format!("| `{check}` |")),
            "{check} is not in docs/doctor.md"
        );
    }
}

#[test]
fn json_has_a_line_for_each_thing() {
    let mut seen = healthy();
    seen.policies = Some(vec![]);
    let text = render::json(&diagnose(&seen), "portcullis");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["schema"], 1);
    assert_eq!(document["lines"][0]["check"], "policies");
    assert_eq!(document["lines"][0]["grade"], "note");
}
