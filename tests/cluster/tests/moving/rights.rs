//! No borrowed rights: what people try who may do less than Portcullis, and
//! that none of them gains anything (design: reliability.md, 6 and 7).
//!
//! After each try: no Secret was written that who tried could not have written,
//! no value came to where somebody reads it who may not read the Secret, and
//! what others have is as it was.

/// ConfigMaps: values, placeholders and marks that are written by hand.
mod config_maps;
/// A caller that is not the API server.
mod direct;
/// Guessing what was moved.
mod guessing;
/// Labels of namespaces, and Relocations.
mod labels;
/// Pods that name what is not theirs.
mod pods;
/// Names that are kept.
mod secrets;
/// Who is there.
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Stage;
use crate::asked::{Ask, Person, Said, Verb};
use world::World;

/// Fewer would not be the matrix.
const LEAST: usize = 150;

/// Stands for the resourceVersion of `app` at the time of the try.
const PRESENT: &str = "PRESENT-VERSION";

/// What is to come of a try.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// A refusal that says this.
    Refused(&'static str),
    /// It is done, and nothing is gained by it.
    Allowed,
    /// It is done, but what is stored names no Secret of ours.
    Instead,
    /// It is done, and what was given is moved into a Secret of its own: who
    /// asks may create Secrets.
    Moved,
}

/// A try.
struct Case {
    name: String,
    by: Person,
    ask: Ask,
    wanted: Wanted,
}

/// What there is that nobody of them may change.
#[derive(PartialEq)]
struct Kept {
    /// Secrets by namespace and name: uid, data, labels, annotations and owner.
    secrets: BTreeMap<String, Value>,
    /// Data and mark of the ConfigMaps that were there before.
    maps: Vec<Value>,
    /// The label of each namespace.
    enrolled: Vec<Value>,
}

/// `more` over `object`, as a merge patch is.
fn merge(object: &mut Value, more: &Value) {
    match (object, more) {
        (Value::Object(object), Value::Object(more)) => {
            for (key, value) in more {
                merge(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, more) => *object = more.clone(),
    }
}

impl World {
    fn namespaces(&self) -> [&String; 3] {
        [&self.home, &self.other, &self.plain]
    }

    fn items(&self, path: &str) -> Vec<Value> {
        let list = self.asker.get(path)["items"].take();
        let items = list.as_array().cloned().expect("a list");
        let is_ours = |item: &Value| {
            let namespace = item["metadata"]["namespace"].as_str();
            namespace.is_some_and(|name| self.namespaces().iter().any(|ours| *ours == name))
        };
        items.into_iter().filter(is_ours).collect()
    }

    fn kept(&self) -> Kept {
        let secrets = self.items("/api/v1/secrets").into_iter().map(|secret| {
            let metadata = &secret["metadata"];
            let name = format!("{}/{}", metadata["namespace"], metadata["name"]);
            let told = ["uid", "labels", "annotations", "ownerReferences"];
            let told: Vec<_> = told.iter().map(|member| metadata[member].clone()).collect();
            (name, json!([told, secret["data"], secret["type"]]))
        });
        let map = |(namespace, name): (&String, &str)| {
            let map = self
                .asker
                .get(&format!("{}/{name}", world::maps(namespace)));
            let moved = &map["metadata"]["labels"]["portcullis.dev/moved"];
            json!([map["data"], map["binaryData"], moved])
        };
        let maps = [
            (&self.home, "app"),
            (&self.home, "db"),
            (&self.other, "app"),
        ];
        let label = |name: &String| {
            let namespace = self.asker.get(&format!("/api/v1/namespaces/{name}"));
            namespace["metadata"]["labels"].clone()
        };
        Kept {
            secrets: secrets.collect(),
            maps: maps.map(map).into(),
            enrolled: self.namespaces().map(label).into(),
        }
    }

    /// All that people can read who may not read Secrets.
    fn readable(&self) -> String {
        let lists = [
            "/api/v1/configmaps",
            "/api/v1/pods",
            "/apis/portcullis.dev/v1alpha1/relocations",
        ];
        lists
            .map(|path| json!(self.items(path)).to_string())
            .concat()
    }

    /// What text tells that nobody may know who reads it: forms of values.
    fn told(&self, what: &str, text: &str) -> Result<(), String> {
        let hits = self.search.hits(text.as_bytes());
        let hits: Vec<_> = hits.iter().map(|hit| (hit.canary, hit.form)).collect();
        match hits.is_empty() {
            true => Ok(()),
            false => Err(format!("{what} tells values of others: {hits:?}")),
        }
    }

    /// Tries it, and looks at what came of it. What was said, what there is, and
    /// what is wrong with it.
    fn attempt(&self, case: &Case, before: &Kept) -> (Said, Kept, Result<(), String>) {
        let said = self.asker.ask(&case.by, &self.at_present(&case.ask));
        let after = self.kept();
        let right = case
            .wanted
            .is_met(&said)
            .and_then(|()| self.told("the answer", &said.body))
            .and_then(|()| self.told("a warning", &said.warnings))
            .and_then(|()| self.told("what can be read", &self.readable()))
            .and_then(|()| self.gained(case, before, &after));
        (said, after, right)
    }

    fn at_present(&self, ask: &Ask) -> Ask {
        let (mut ask, body) = (ask.clone(), ask.body.to_string());
        if body.contains(PRESENT) {
            let app = self.asker.get(&format!("{}/app", world::maps(&self.home)));
            let version = app["metadata"]["resourceVersion"].as_str();
            let body = body.replace(PRESENT, version.unwrap_or_default());
            ask.body = serde_json::from_str(&body).expect("JSON");
        }
        ask
    }

    /// Whether nothing was gained.
    fn gained(&self, case: &Case, before: &Kept, after: &Kept) -> Result<(), String> {
        if before.maps != after.maps {
            return Err("ConfigMaps of others are changed".to_owned());
        }
        if before.enrolled != after.enrolled {
            return Err("labels of namespaces are changed".to_owned());
        }
        let changed = before.secrets.iter();
        let mut changed = changed.filter(|(name, held)| after.secrets.get(*name) != Some(held));
        if let Some((name, _)) = changed.next() {
            return Err(format!("Secret {name} is changed"));
        }
        let new = after.secrets.iter();
        for (name, held) in new.filter(|(name, _)| !before.secrets.contains_key(*name)) {
            if !matches!(case.wanted, Wanted::Moved) || !name.contains("portcullis-moved-") {
                return Err(format!("Secret {name} is new"));
            }
            // Of those who try, nobody sends what is somebody else's.
            self.told(name, &held.to_string())?;
        }
        Ok(())
    }
}

impl Wanted {
    fn is_met(self, said: &Said) -> Result<(), String> {
        let is_met = match self {
            Wanted::Refused(part) => !said.is_good() && said.message().contains(part),
            Wanted::Allowed | Wanted::Moved => said.is_good(),
            Wanted::Instead => said.is_good() && !said.body.contains("\"portcullis-moved-"),
        };
        match is_met {
            true => Ok(()),
            false => Err(format!("{self:?}, and it is {}: {}", said.code, said.body)),
        }
    }
}

/// The search finds each value in what is read after each try.
fn the_search_finds_what_is_there(world: &World) {
    let found = world
        .search
        .hits(json!(world.items("/api/v1/secrets")).to_string().as_bytes());
    let found: BTreeSet<usize> = found.iter().map(|hit| hit.canary).collect();
    assert_eq!(found.len(), world::VALUES.len(), "{found:?}");
}

/// What the cases came to.
#[derive(Default)]
struct Tally {
    /// What was said to each.
    answers: BTreeMap<String, String>,
    /// What is wrong.
    wrong: Vec<String>,
}

impl Tally {
    fn run(&mut self, world: &World, group: &str, cases: Vec<Case>, kept: &mut Kept) {
        let (started, count) = (Instant::now(), cases.len());
        for case in cases {
            let (said, after, right) = world.attempt(&case, kept);
            *kept = after;
            if let Err(wrong) = right {
                println!("{}: {wrong}", case.name);
                self.wrong.push(format!("{}: {wrong}", case.name));
            }
            let before = self.answers.insert(case.name.clone(), said.message());
            assert_eq!(before, None, "{} is there twice", case.name);
        }
        let took = started.elapsed().as_secs_f32();
        println!("{group}: {count} cases, {took:.1} s");
    }
}

#[test]
fn nobody_gains_what_he_has_no_right_to() {
    let mut stage = Stage::new();
    let world = World::new(&mut stage);
    the_search_finds_what_is_there(&world);
    let (mut kept, mut tally) = (world.kept(), Tally::default());
    for (group, cases) in [
        ("config maps", config_maps::cases(&world)),
        ("pods", pods::cases(&world)),
        ("secrets", secrets::cases(&world)),
        ("labels", labels::cases(&world)),
        ("guessing", guessing::cases(&world)),
    ] {
        tally.run(&world, group, cases, &mut kept);
    }
    let others = secrets::squatted_before(&stage, &world);
    let directly = direct::run(&stage, &world, &mut kept);
    tally.run(&world, "kay", config_maps::of_kay(&world), &mut kept);
    // What comes late has come.
    std::thread::sleep(Duration::from_secs(3));
    let last = Case {
        name: "afterwards".to_owned(),
        by: Person::Admin,
        ask: Ask::new(Verb::Get, world::maps(&world.home), Value::Null),
        wanted: Wanted::Moved,
    };
    tally.run(&world, "afterwards", vec![last], &mut kept);
    for kind in ["/apis/events.k8s.io/v1/events", "/api/v1/events"] {
        let events = json!(world.items(kind)).to_string();
        tally.wrong.extend(world.told(kind, &events).err());
    }
    let (wrong, count) = (&tally.wrong, tally.answers.len() - 1 + others + directly);
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    guessing::assert_nothing_is_told(&tally.answers);
    println!("{count} cases, and none gained anything");
    assert!(count >= LEAST, "{count}");
}
