//! What is broken, and what is to be said of it.

mod networks;
mod relocation;
mod serving;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::healthy::{NOW, certificates, configuration, policy, stored};
use super::{Grade, Seen};
use crate::cluster::state::{How, State};

pub(super) fn said_of(seen: &State) -> impl Fn(&mut Seen) + use<> {
    let state = seen.clone();
    move |seen| seen.state = stored(&state)
}

/// A state that says one more thing.
pub(super) fn says(kind: &str, status: bool, reason: &str, message: &str) -> State {
    let mut state = State::default();
    state.say(kind, status, reason, message, "2027-01-01T00:00:00Z");
    state
}

pub(super) fn ours(seen: &mut Seen, index: usize) -> &mut Value {
    &mut seen.webhooks[index].as_mut().expect("seen")[0]
}

/// Somebody else's configuration beside ours.
pub(super) fn other<'s>(
    seen: &'s mut Seen,
    index: usize,
    name: &str,
    selector: Value,
) -> &'s mut Value {
    let mut other = configuration("K", name, "x");
    other["webhooks"][0]["namespaceSelector"] = selector;
    let all = seen.webhooks[index].as_mut().expect("seen");
    all.push(other);
    all.last_mut().expect("it is there")
}

/// The account may not look these up.
pub(super) fn without_lookups_of(seen: &mut Seen, resource: &str) {
    for (_, role) in seen.rights.iter_mut().flatten() {
        let rules = role["rules"].as_array_mut().expect("rules");
        rules.retain(|rule| rule["resources"][0] != resource);
    }
}

/// Breaks one thing.
pub(super) type Break = Box<dyn Fn(&mut Seen)>;
/// Which check says what is broken, how bad it is, and what it says.
pub(super) type Case = (&'static str, Grade, &'static str, Break);

pub(super) fn case(break_it: impl Fn(&mut Seen) + 'static) -> Break {
    Box::new(break_it)
}

/// Everything that is broken, one at a time.
pub(super) fn broken() -> Vec<Case> {
    let networks = networks::networks();
    let all = [
        manifests(),
        serving::serving(),
        relocation::relocations(),
        networks,
        registered(),
        others(),
    ];
    all.into_iter().flatten().collect()
}

/// What somebody applies.
fn manifests() -> Vec<Case> {
    use Grade::{Note, Problem};
    vec![
        (
            "manifests",
            Problem,
            "no kind WasmPolicy",
            case(|seen| seen.definitions.as_mut().expect("seen")[0] = Value::Null),
        ),
        (
            "manifests",
            Problem,
            "no kind PolicyExemption",
            case(|seen| seen.definitions.as_mut().expect("seen")[1] = Value::Null),
        ),
        (
            "manifests",
            Problem,
            "is not that of portcullis",
            case(|seen| {
                let definitions = seen.definitions.as_mut().expect("seen");
                definitions[0]["spec"]["versions"][0]["schema"] = json!({});
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
            "rights",
            Problem,
            "lacks rights: list poddisruptionbudgets, watch poddisruptionbudgets",
            case(|seen| {
                let mut state = State::default();
                state.say_base(Some("starter"), "t");
                seen.state = stored(&state);
                without_lookups_of(seen, "poddisruptionbudgets");
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
            Problem,
            "lookups of policy tags are not answered: add a rule",
            case(|seen| {
                let policy = &mut seen.policies.as_mut().expect("seen")[0];
                let conditions = policy["status"]["conditions"].as_array_mut();
                conditions
                    .expect("conditions")
                    .push(json!({"type": "LookupsAnswered",
                    "status": "False", "reason": "RightMissing", "message": "add a rule",
                    "lastTransitionTime": "2027-01-01T00:00:00Z"}));
            }),
        ),
        (
            "policies",
            Note,
            "has no WasmPolicies",
            case(|seen| seen.policies = Some(vec![])),
        ),
    ]
}

/// What is registered.
fn registered() -> Vec<Case> {
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
    vec![
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
    ]
}

/// What webhooks hold up, and others write.
fn others() -> Vec<Case> {
    use Grade::{Note, Problem};
    let cni = json!({"metadata": {"name": "cni", "namespace": "network"}, "spec": {"selector": {}, "template":
        {"spec": {"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/etc/cni/net.d"}}]}}}});
    vec![
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
            "ValidatingWebhookConfiguration theirs, entry fail.portcullis.dev, fails closed",
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
