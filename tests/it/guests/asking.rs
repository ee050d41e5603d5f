//! A guest that looks up whatever it is told to: what the request says is its
//! query. What the host's own parts are asked for it is written down.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis::policy::lookup::{LookupGrant, LookupScope, Unseen, View};
use portcullis::policy::spec::{Limits, ProgramRef};
use portcullis::policy::{Asked, Cause, Evaluate, Failure, Others, Sight, Spec};
use portcullis::wasm::{Loaded, Program};
use portcullis_contract::{DESCRIPTION_SECTION, LOOKUPS, LabelSelector, Verdict};
use serde_json::{Map, Value, json};
use wasm_encoder::{ComponentSection, CustomSection};

use super::ENGINE;

/// Looks Secrets up, and Services if it may.
fn description() -> Value {
    let lookup = |kind: &str, resource: &str, optional: bool| {
        json!({"apiVersion": "v1", "kind": kind, "resource": resource, "optional": optional,
            "reads": ["object.metadata.name"]})
    };
    json!({"interface": "0.1.0", "name": "guest", "version": "1.0.0", "summary": "s",
        "matches": {"resourceRules": []}, "reads": [], "codes": [], "settings": {},
        "lookups": [lookup("Secret", "secrets", false), lookup("Service", "services", true)]})
}

/// `g` and a query for `get`, any other sign and a query for `list`; it has
/// nothing to say of the answer.
fn component() -> Vec<u8> {
    let description = description().to_string();
    let text = format!(
        r#"(component
          (import "{LOOKUPS}" (instance $lookups
            (export "get" (func (param "query" string) (result (option string))))
            (export "list" (func (param "query" string) (result (option string))))))
          (core module $memory
            (memory (export "memory") 16)
            (global $heap (mut i32) (i32.const 65536))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (global.get $heap)
              (global.set $heap (i32.add (global.get $heap) (i32.add (local.get 3) (i32.const 8))))))
          (core instance $m (instantiate $memory))
          (alias core export $m "memory" (core memory $memory))
          (alias core export $m "realloc" (core func $realloc))
          (alias export $lookups "get" (func $get))
          (alias export $lookups "list" (func $list))
          (core func $core-get (canon lower (func $get) (memory $memory) (realloc $realloc)))
          (core func $core-list (canon lower (func $list) (memory $memory) (realloc $realloc)))
          (core module $guest
            (import "m" "memory" (memory 1))
            (import "l" "get" (func $get (param i32 i32 i32)))
            (import "l" "list" (func $list (param i32 i32 i32)))
            (data (i32.const 1024) "{description}")
            (func $text (param i32 i32) (result i32)
              (i32.store (i32.const 24) (local.get 0)) (i32.store (i32.const 28) (local.get 1))
              (i32.const 24))
            (func (export "describe") (result i32)
              (call $text (i32.const 1024) (i32.const {length})))
            (func (export "init") (param i32 i32) (result i32)
              (i32.store8 (i32.const 32) (i32.const 0)) (i32.const 32))
            (func (export "evaluate") (param i32 i32) (result i32)
              (local $at i32) (local $length i32)
              (local.set $at (i32.add (local.get 0) (i32.const 1)))
              (local.set $length (i32.sub (local.get 1) (i32.const 1)))
              (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 103))
                (then (call $get (local.get $at) (local.get $length) (i32.const 40)))
                (else (call $list (local.get $at) (local.get $length) (i32.const 40))))
              (call $text (i32.const 0) (i32.const 0))))
          (core instance $g (instantiate $guest (with "m" (instance $m))
            (with "l" (instance (export "get" (func $core-get)) (export "list" (func $core-list))))))
          (alias core export $g "describe" (core func $core-describe))
          (alias core export $g "init" (core func $core-init))
          (alias core export $g "evaluate" (core func $core-evaluate))
          (func $describe (result string)
            (canon lift (core func $core-describe) (memory $memory) (realloc $realloc)))
          (func $init (param "settings" string) (result (result (error string)))
            (canon lift (core func $core-init) (memory $memory) (realloc $realloc)))
          (func $evaluate (param "request" string) (result string)
            (canon lift (core func $core-evaluate) (memory $memory) (realloc $realloc)))
          (instance $exports (export "describe" (func $describe)) (export "init" (func $init))
            (export "evaluate" (func $evaluate)))
          (export "portcullis:policy/guest@0.1.0" (instance $exports)))"#,
        length = description.len(),
        description = description.replace('"', "\\22"),
    );
    let mut component = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let section = CustomSection {
        name: DESCRIPTION_SECTION.into(),
        data: description.into_bytes().into(),
    };
    section.append_to_component(&mut component);
    component
}

/// Writes down where it was asked to look: None is everywhere.
#[derive(Default)]
struct Places(Mutex<Vec<Option<String>>>);

impl Others for Places {
    fn get(&self, _: &View, namespace: &str, _: &str) -> Result<Option<String>, Unseen> {
        let mut places = self.0.lock().expect("unharmed");
        places.push(Some(namespace.to_owned()));
        Ok(None)
    }

    fn list(
        &self,
        _: &View,
        namespace: Option<&str>,
        _: Option<&LabelSelector>,
    ) -> Result<String, Unseen> {
        let mut places = self.0.lock().expect("unharmed");
        places.push(namespace.map(str::to_owned));
        Ok("[]".into())
    }
}

struct Stage {
    program: Program,
    places: Arc<Places>,
    others: Arc<dyn Others>,
}

impl Stage {
    /// Secrets are granted so far, Services not at all.
    fn new(scope: LookupScope) -> Stage {
        let loaded = Loaded::new(&ENGINE, &component()).expect("a policy");
        let mut spec = Spec::of(ProgramRef::Builtin("guest".into()));
        spec.lookups = vec![LookupGrant {
            api_group: String::new(),
            resource: "secrets".into(),
            scope,
        }];
        let sight = Sight::new(loaded.description(), &spec).expect("granted");
        let program = loaded.program(&Map::new(), Limits::default());
        let places = Arc::new(Places::default());
        Stage {
            program: program.expect("it loads").seeing(&Arc::new(sight)),
            others: Arc::clone(&places) as Arc<dyn Others>,
            places,
        }
    }

    /// What comes of a query in a namespace, and where was looked.
    fn ask(
        &self,
        namespace: Option<&str>,
        query: &str,
    ) -> (Result<Verdict, Failure>, Vec<Option<String>>) {
        let asked = Asked {
            namespace,
            others: Some(&self.others),
            ..Asked::alone(query)
        };
        let verdict = self
            .program
            .judge(asked, Instant::now() + Duration::from_secs(5));
        (
            verdict,
            std::mem::take(&mut *self.places.0.lock().expect("unharmed")),
        )
    }
}

/// Namespaces that are not `shop`, however they are written.
const ELSEWHERE: [&str; 12] = [
    "other",
    "*",
    "",
    " shop",
    "shop ",
    "SHOP",
    "shop/",
    "../other",
    "shop/../other",
    "shop\\u0000",
    "sho\\u0440",
    "default",
];

#[test]
fn a_guest_that_is_granted_its_namespace_gets_nowhere_else_whatever_it_asks() {
    let stage = Stage::new(LookupScope::Namespace);
    for call in ["g", "l"] {
        let name = if call == "g" {
            ", \"name\": \"db\""
        } else {
            ""
        };
        let own = format!("{call}{{\"resource\": \"secrets\"{name}}}");
        let (verdict, places) = stage.ask(Some("shop"), &own);
        assert_eq!(verdict, Ok(Verdict::default()));
        assert_eq!(places, [Some("shop".to_owned())], "it can look at all");
        for place in ELSEWHERE {
            let query =
                format!("{call}{{\"resource\": \"secrets\", \"namespace\": \"{place}\"{name}}}");
            let (verdict, places) = stage.ask(Some("shop"), &query);
            let failure = verdict.expect_err(place);
            assert_eq!(failure.cause, Cause::Grant, "{query}: {failure}");
            assert!(places.is_empty(), "{query}: {places:?}");
        }
        // A request about what is in no namespace.
        for place in ["shop", "*", ""] {
            let query =
                format!("{call}{{\"resource\": \"secrets\", \"namespace\": \"{place}\"{name}}}");
            let (verdict, places) = stage.ask(None, &query);
            assert!(verdict.is_err() && places.is_empty(), "{query}: {places:?}");
        }
        let (verdict, places) = stage.ask(None, &own);
        assert!(verdict.is_err() && places.is_empty(), "{places:?}");
    }
}

#[test]
fn a_guest_gets_no_kind_that_was_not_granted_and_no_query_that_is_none() {
    let stage = Stage::new(LookupScope::Cluster);
    let (verdict, places) = stage.ask(Some("shop"), "l{\"resource\": \"services\"}");
    assert_eq!(verdict, Ok(Verdict::default()), "it is optional");
    assert!(places.is_empty(), "{places:?}");
    for query in [
        "{\"resource\": \"pods\"}",
        "{\"resource\": \"Secrets\"}",
        "{\"resource\": \"secrets/status\"}",
        "{\"resource\": \"secrets\", \"fieldSelector\": \"a=b\"}",
        "{\"resource\": \"secrets\", \"namespace\": [\"shop\"]}",
        "{}",
        "[]",
        "null",
        "",
    ] {
        for call in ["g", "l"] {
            let (verdict, places) = stage.ask(Some("shop"), &format!("{call}{query}"));
            let failure = verdict.expect_err(query);
            assert_eq!(failure.cause, Cause::Output, "{query}: {failure}");
            assert!(places.is_empty(), "{query}: {places:?}");
        }
    }
}

#[test]
fn with_the_grant_of_the_cluster_all_of_it_is_seen() {
    let stage = Stage::new(LookupScope::Cluster);
    for (place, seen) in [("other", Some("other")), ("*", None)] {
        let query = format!("l{{\"resource\": \"secrets\", \"namespace\": \"{place}\"}}");
        let (verdict, places) = stage.ask(Some("shop"), &query);
        assert_eq!(verdict, Ok(Verdict::default()));
        assert_eq!(places, [seen.map(str::to_owned)]);
    }
    // What is in no namespace is got by its name alone.
    let query = "g{\"resource\": \"secrets\", \"namespace\": \"*\", \"name\": \"db\"}";
    let (verdict, places) = stage.ask(None, query);
    assert_eq!(verdict, Ok(Verdict::default()));
    assert_eq!(places, [Some(String::new())]);
}
