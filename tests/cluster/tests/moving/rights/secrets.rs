//! Names that are kept, for who may do everything with Secrets, and for who
//! may do nothing.

use serde_json::{Value, json};

use super::super::Stage;
use super::world::World;
use super::{Case, Wanted};
use crate::asked::{Ask, Person, Verb};

const KEPT: Wanted = Wanted::Refused("hold what Portcullis moved");

fn secrets(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {"LD_PRELOAD": "/tmp/evil.so"}})
}

fn case(name: String, by: &Person, ask: Ask, wanted: Wanted) -> [Case; 2] {
    // Refused with and without a dry run.
    [false, true].map(|dry_run| Case {
        name: format!("{name}, dry run {dry_run}"),
        by: by.clone(),
        ask: Ask {
            dry_run,
            ..ask.clone()
        },
        wanted,
    })
}

pub(super) fn cases(world: &World) -> Vec<Case> {
    let mut cases = squatted(world);
    cases.extend(changed(world));
    cases.extend(of_others(world));
    cases
}

/// Secrets of kept names that are not there.
fn squatted(world: &World) -> Vec<Case> {
    let names = [
        "portcullis-moved-t-none",
        "portcullis-moved-b-app",
        "portcullis-moved-s-00000000000000aa",
        "portcullis-moved-s-0000000000000000",
        "portcullis-moved-anything",
    ];
    let mut cases = vec![];
    for (who, by, namespace) in [
        ("kay", &world.kay, &world.home),
        ("ned", &world.ned, &world.other),
        ("ned plain", &world.ned, &world.plain),
    ] {
        for name in names {
            let ask = Ask::new(Verb::Create, secrets(namespace), secret(name));
            cases.extend(case(format!("{who} squats {name}"), by, ask, KEPT));
        }
        for prefix in ["portcullis-moved-t-", "portcullis-moved-s-"] {
            let mut object = secret("");
            object["metadata"] = json!({"generateName": prefix});
            let ask = Ask::new(Verb::Create, secrets(namespace), object);
            cases.extend(case(format!("{who} generates {prefix}"), by, ask, KEPT));
        }
        let path = format!("{}/portcullis-moved-t-none", secrets(namespace));
        let ask = Ask::new(Verb::Apply, path, secret("portcullis-moved-t-none"));
        cases.extend(case(format!("{who} applies"), by, ask, KEPT));
    }
    cases
}

/// Somebody made Secrets of kept names before Portcullis came, so that pods that
/// are rewritten would read them. Nothing is enrolled over them; who may delete
/// Secrets can delete what does not bear our label. How many cases that is.
pub(super) fn squatted_before(stage: &Stage, world: &World) -> usize {
    let Person::User(relocation, _) =
        Person::account(stage.installation.home.name(), "portcullis-relocation")
    else {
        unreachable!("an account is a user");
    };
    // Whom the guard lets through: before it was there, it let everybody.
    let early = Person::User(relocation, vec!["system:masters".to_owned()]);
    let serving = json!({"labels": {"portcullis.dev/relocation": "serving"}});
    let tries = [
        ("portcullis-moved-t-app", json!({}), true),
        ("portcullis-moved-b-none", serving, false),
        ("portcullis-moved-s-7", json!({}), true),
    ];
    let all = secrets(&world.plain);
    for (name, marks, is_deleted) in &tries {
        let mut object = secret(name);
        super::merge(&mut object["metadata"], marks);
        let squat = Ask::new(Verb::Create, &*all, object);
        assert!(world.asker.ask(&early, &squat).is_good(), "{name}");
        let enrolled = stage.secrets(&["enrol", &world.plain]);
        let why = enrolled.expect_err("a name is taken");
        assert!(why.contains(name), "{why}");
        let label = world
            .asker
            .get(&format!("/api/v1/namespaces/{}", world.plain));
        assert_eq!(
            label["metadata"]["labels"]["portcullis.dev/secrets"],
            Value::Null
        );
        let delete = Ask::new(Verb::Delete, format!("{all}/{name}"), Value::Null);
        let deleted = world.asker.ask(&world.ned, &delete);
        assert_eq!(deleted.is_good(), *is_deleted, "{name}: {}", deleted.body);
        if !is_deleted {
            assert!(world.asker.ask(&early, &delete).is_good(), "{name}");
        }
    }
    tries.len()
}

/// What is there, changed or deleted.
fn changed(world: &World) -> Vec<Case> {
    let staged = world.of.password.split(':').nth(2).expect("a Secret");
    let kay = &world.kay;
    let mut cases = vec![];
    for name in ["portcullis-moved-t-app", "portcullis-moved-t-db", staged] {
        let path = format!("{}/{name}", secrets(&world.home));
        let more = json!({"stringData": {"LD_PRELOAD": "/tmp/evil.so"}});
        let label = json!({"metadata": {"labels": {"portcullis.dev/relocation": null}}});
        let owner = json!({"metadata": {"ownerReferences": null, "finalizers": ["a.b/c"]}});
        let tries = [
            ("feeds", Verb::Merge, more),
            ("unmarks", Verb::Merge, label),
            ("takes", Verb::Merge, owner),
            ("replaces", Verb::Replace, secret(name)),
            ("applies", Verb::Apply, secret(name)),
            ("deletes", Verb::Delete, Value::Null),
        ];
        for (what, verb, body) in tries {
            let ask = Ask::new(verb, path.clone(), body);
            // What is immutable is refused even before.
            let wanted = match name == staged {
                true => Wanted::Refused(""),
                false => KEPT,
            };
            cases.extend(case(format!("kay {what} {name}"), kay, ask, wanted));
        }
    }
    let all = "labelSelector=portcullis.dev/relocation";
    let path = format!("{}?{all}", secrets(&world.home));
    let ask = Ask::new(Verb::Delete, path, Value::Null);
    cases.extend(case("kay deletes all".to_owned(), kay, ask, KEPT));
    cases
}

/// Secrets, for those who may not have them.
fn of_others(world: &World) -> Vec<Case> {
    const CANNOT: Wanted = Wanted::Refused("cannot");
    let mut cases = vec![];
    let people = [
        ("eve", &world.eve),
        ("robot", &world.robot),
        ("pat", &world.pat),
        ("ned", &world.ned),
    ];
    for (who, by) in people {
        let all = secrets(&world.home);
        let one = format!("{all}/portcullis-moved-t-app");
        let tries = [
            ("lists", Ask::new(Verb::Get, all.clone(), Value::Null)),
            ("reads", Ask::new(Verb::Get, one.clone(), Value::Null)),
            ("writes", Ask::new(Verb::Create, all, secret("mine"))),
            ("patches", Ask::new(Verb::Merge, one, json!({"data": null}))),
        ];
        for (what, ask) in tries {
            cases.push(Case {
                name: format!("{who} {what} Secrets"),
                by: by.clone(),
                ask,
                wanted: CANNOT,
            });
        }
    }
    cases
}
