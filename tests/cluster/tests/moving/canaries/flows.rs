//! What is done with values, each flow with a ConfigMap of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::AUDITED;
use serde_json::{Value, json};

use super::super::{Stage, served};
use super::{Batch, Bench, STAGED};
use crate::asked::{Ask, Person, Verb};
use crate::policies::eventually;

pub(super) type Flow = fn(&mut Bench, &Stage, &Batch);

const MAPS: &str = "/api/v1/namespaces/audited/configmaps";
const PODS: &str = "/api/v1/namespaces/audited/pods";
const SECRETS: &str = "/api/v1/namespaces/audited/secrets";

/// Of what is refused no value is ever stored, in a Secret either.
pub(super) const REFUSED: [&str; 5] = ["dry-run", "forbidden", "embedded", "unreadable", "in-use"];

/// All of them, each with its name.
pub(super) fn all() -> Vec<(&'static str, Flow)> {
    vec![
        ("created", created),
        ("applied", applied),
        ("server-side", server_side),
        ("updated", updated),
        ("rotated", rotated),
        ("removed", removed),
        ("dry-run", dry_run),
        ("forbidden", forbidden),
        ("embedded", embedded),
        ("binary", binary),
        ("staged", staged),
        ("deleted", deleted),
        ("in-use", in_use),
        ("generated", generated),
        ("unreadable", unreadable),
        ("repaired", repaired),
    ]
}

fn one(batch: &Batch) -> String {
    format!("{MAPS}/{}", batch.name)
}

fn map(batch: &Batch, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": batch.name},
        "data": data})
}

/// As files of formats by turns.
fn filed(bench: &Bench, batch: &Batch) -> Value {
    map(
        batch,
        bench.data(batch.canaries.start / 8, batch.canaries.clone()),
    )
}

/// Each by itself.
fn plain(bench: &Bench, batch: &Batch) -> Value {
    map(batch, bench.data(0, batch.canaries.clone()))
}

fn assert_moved(object: &Value, batch: &Batch) {
    let halves = ["data", "binaryData"].map(|half| object[half].as_object().cloned());
    for (key, value) in halves.into_iter().flatten().flatten() {
        let text = value.as_str().expect("text");
        let decoded = STANDARD.decode(text).unwrap_or_default();
        let is_moved = [text.as_bytes(), &decoded]
            .iter()
            .any(|bytes| bytes.starts_with(b"moved-secret:v1:"));
        assert!(is_moved, "{}: {key} was not moved", batch.name);
    }
}

fn create(bench: &mut Bench, batch: &Batch, object: Value) -> Value {
    let stored = bench.admin(batch, Verb::Create, MAPS, object);
    assert_moved(&stored, batch);
    stored
}

/// It is refused, and says this.
fn refused(bench: &mut Bench, batch: &Batch, person: &Person, ask: &Ask, part: &str) {
    let said = bench.ask(batch, person, ask);
    let right = !said.is_good() && said.message().contains(part);
    assert!(right, "{}: {}", batch.name, said.body.replace(part, ""));
}

/// A pod that reads it in all ways. The kubelet starts it.
fn created(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = plain(bench, batch);
    create(bench, batch, object);
    let name = &batch.name;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": name}}],
            "env": [{"name": "ONE", "valueFrom":
                {"configMapKeyRef": {"name": name, "key": "K0_PASSWORD"}}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "configMap": {"name": name}}]}});
    bench.admin(batch, Verb::Create, PODS, pod);
    bench.admin(batch, Verb::Get, &format!("{PODS}/{name}"), Value::Null);
}

fn applied(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let text = filed(bench, batch).to_string();
    for how in [
        &["apply", "-f", "-"][..],
        &["apply", "-f", "-"],
        &["diff", "-f", "-"],
        &["apply", "--dry-run=server", "-o", "yaml", "-f", "-"],
    ] {
        let answer = bench.kubectl(batch, how, &text);
        assert_eq!(answer.code, 0, "{}: {how:?}", batch.name);
    }
    let get = ["get", "configmap", &batch.name, "-o", "yaml"];
    let stored = bench.kubectl(batch, &get, "").stdout;
    assert!(stored.contains("last-applied-configuration"));
    let again = bench.kubectl(batch, &["apply", "-f", "-"], &stored);
    assert_eq!(again.code, 0);
}

fn server_side(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = filed(bench, batch);
    for _ in 0..2 {
        let stored = bench.admin(batch, Verb::Apply, &one(batch), object.clone());
        assert_moved(&stored, batch);
    }
    let diff = ["diff", "--server-side", "--force-conflicts", "-f", "-"];
    bench.kubectl(batch, &diff, &object.to_string());
}

/// Values come into what had none, by each verb.
fn updated(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let empty = map(batch, json!({}));
    bench.admin(batch, Verb::Create, MAPS, empty);
    let object = filed(bench, batch);
    for verb in [Verb::Replace, Verb::Merge, Verb::Merge, Verb::Replace] {
        let stored = bench.admin(batch, verb, &one(batch), object.clone());
        assert_moved(&stored, batch);
    }
}

/// Half of them in the stead of the other half.
fn rotated(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let middle = usize::midpoint(batch.canaries.start, batch.canaries.end);
    let halves = [batch.canaries.start..middle, middle..batch.canaries.end];
    let [first, second] = halves.map(|half| map(batch, bench.data(0, half)));
    create(bench, batch, first);
    let stored = bench.admin(batch, Verb::Replace, &one(batch), second);
    assert_moved(&stored, batch);
    served(AUDITED, &batch.name);
}

/// Away, and back again.
fn removed(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = filed(bench, batch);
    create(bench, batch, object.clone());
    let empty = map(batch, json!({}));
    bench.admin(batch, Verb::Replace, &one(batch), empty);
    let stored = bench.admin(batch, Verb::Replace, &one(batch), object);
    assert_moved(&stored, batch);
}

fn dry_run(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = filed(bench, batch);
    let mut ask = Ask::new(Verb::Create, MAPS, object.clone());
    ask.dry_run = true;
    let said = bench.ask(batch, &Person::Admin, &ask);
    assert_moved(&said.object(), batch);
    let dry = ["apply", "--dry-run=server", "-o", "json", "-f", "-"];
    let answer = bench.kubectl(batch, &dry, &object.to_string());
    assert_eq!(answer.code, 0);
}

/// Who may write ConfigMaps and no Secrets.
fn forbidden(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let (object, eve) = (filed(bench, batch), bench.eve.clone());
    for (verb, path) in [(Verb::Create, MAPS.to_owned()), (Verb::Apply, one(batch))] {
        for dry_run in [false, true] {
            let mut ask = Ask::new(verb, &*path, object.clone());
            ask.dry_run = dry_run;
            refused(bench, batch, &eve, &ask, "may not create Secrets");
        }
    }
}

/// A copy of a value elsewhere in the object.
fn embedded(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let text = bench.canaries[batch.canaries.start].text.clone();
    let (mut noted, mut coded) = (plain(bench, batch), plain(bench, batch));
    noted["metadata"]["annotations"] = json!({"note": format!("it is {text}")});
    coded["metadata"]["annotations"] = json!({"note": STANDARD.encode(&text)});
    for object in [noted, coded] {
        let ask = Ask::new(Verb::Create, MAPS, object);
        refused(bench, batch, &Person::Admin, &ask, "is also at");
    }
}

/// A copy of the object that cannot be read.
fn unreadable(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let mut object = plain(bench, batch);
    let broken = format!("{{\"data\": {}", object["data"]);
    object["metadata"]["annotations"] = json!({"objectset.rio.cattle.io/applied": broken});
    let ask = Ask::new(Verb::Create, MAPS, object);
    refused(bench, batch, &Person::Admin, &ask, "that cannot be read");
}

/// As files, where no quotes change what is searched for.
fn binary(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let coded = batch.canaries.clone().map(|canary| {
        let file = format!("DB_PASSWORD={}\n", bench.canaries[canary].text);
        (format!("{canary}.env"), json!(STANDARD.encode(file)))
    });
    let mut object = map(batch, Value::Null);
    object["binaryData"] = Value::Object(coded.collect());
    create(bench, batch, object.clone());
    let stored = bench.admin(batch, Verb::Replace, &one(batch), object);
    assert_moved(&stored, batch);
}

fn generated(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let mut object = filed(bench, batch);
    object["metadata"] = json!({"generateName": format!("{}-", batch.name)});
    let stored = create(bench, batch, object.clone());
    let name = stored["metadata"]["name"].as_str().expect("a name");
    object["metadata"] = json!({"name": name, "generateName": format!("{}-", batch.name)});
    let path = format!("{MAPS}/{name}");
    let again = bench.admin(batch, Verb::Replace, &path, object);
    assert_eq!(again["data"], stored["data"]);
}

fn deleted(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = filed(bench, batch);
    for _ in 0..2 {
        create(bench, batch, object.clone());
        served(AUDITED, &batch.name);
        bench.admin(batch, Verb::Delete, &one(batch), Value::Null);
    }
}

/// A key becomes secret that a pod reads from the ConfigMap.
fn in_use(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let nothing = map(batch, json!({"K0_PASSWORD": "${PASSWORD}"}));
    bench.admin(batch, Verb::Create, MAPS, nothing);
    let name = &batch.name;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "a", "image": "example.com/a:1",
            "env": [{"name": "ONE", "valueFrom":
                {"configMapKeyRef": {"name": name, "key": "K0_PASSWORD"}}}]}]}});
    bench.admin(batch, Verb::Create, PODS, pod);
    let ask = Ask::new(Verb::Replace, one(batch), plain(bench, batch));
    refused(bench, batch, &Person::Admin, &ask, "running pods read it");
}

/// A staged Secret is deleted by hand, and put back from what is served.
fn repaired(bench: &mut Bench, _: &Stage, batch: &Batch) {
    let object = plain(bench, batch);
    let stored = create(bench, batch, object);
    served(AUDITED, &batch.name);
    let placeholder = stored["data"]["K0_PASSWORD"].as_str().expect("text");
    let secret = placeholder.split(':').nth(2).expect("a Secret");
    let path = format!("{SECRETS}/{secret}");
    // By an account that may.
    let collector = Person::User(
        "system:serviceaccount:kube-system:generic-garbage-collector".to_owned(),
        vec!["system:masters".to_owned()],
    );
    let delete = Ask::new(Verb::Delete, &*path, Value::Null);
    assert!(bench.asker.ask(&collector, &delete).is_good());
    let label = json!({"metadata": {"labels": {"seen": "yes"}}});
    bench.admin(batch, Verb::Merge, &one(batch), label);
    eventually(
        "repaired",
        || bench.asker.get(&path),
        |found| !found.is_null(),
    );
}

/// What has to be there before the enrolment, and may: its values stand in the
/// ConfigMaps (see [`STAGED`]).
pub(super) fn before(bench: &mut Bench, batches: &[(Batch, Flow)]) {
    let staged = batches.iter().map(|(batch, _)| batch);
    for batch in staged.filter(|batch| batch.name.starts_with(STAGED)) {
        let object = plain(bench, batch);
        bench.asker.admin(Verb::Create, MAPS, object);
    }
    let eve = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "eve"}, "rules": [{"apiGroups": [""],
            "resources": ["configmaps"], "verbs": ["*"]}]});
    let bound = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "eve"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "eve"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
            "name": "eve-writes-maps"}]});
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/audited";
    bench
        .asker
        .admin(Verb::Create, &format!("{path}/roles"), eve);
    bench
        .asker
        .admin(Verb::Create, &format!("{path}/rolebindings"), bound);
}

/// Audit, prepare, redact, and put back.
fn staged(bench: &mut Bench, stage: &Stage, batch: &Batch) {
    let (object, name) = (plain(bench, batch), &*batch.name);
    let warned = bench.asker.ask(
        &Person::Admin,
        &Ask::new(Verb::Merge, one(batch), json!({"data": object["data"]})),
    );
    bench.tell(batch, "a warning", warned.warnings);
    let keys = object["data"].as_object().expect("keys").keys();
    let keys: Vec<String> = keys.map(|key| format!("--key={key}")).collect();
    let keys = keys.iter().map(String::as_str);
    let prepare: Vec<&str> = ["prepare", AUDITED, name].into_iter().chain(keys).collect();
    for arguments in [
        &prepare[..],
        &["redact", AUDITED, name],
        &["status", AUDITED],
    ] {
        let said = stage.secrets(arguments);
        bench.tell(batch, &arguments[..1], said.expect("it is done"));
    }
    // From here on, and until it is put back, nobody reads a value in it.
    let stored = bench.admin(batch, Verb::Get, &one(batch), Value::Null);
    assert_moved(&stored, batch);
    served(AUDITED, name);
    let said = stage.secrets(&["restore", AUDITED, name]);
    bench.tell(batch, "restore", said.expect("it is put back"));
    let back = bench.asker.get(&one(batch));
    assert_eq!(back["data"], object["data"]);
}
