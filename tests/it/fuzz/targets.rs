//! One test a parser, and what it promises.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use portcullis::admit::Phase;
use portcullis::policy::patch::{apply, diff};
use portcullis::policy::spec::{API_VERSION, KIND, Limits, Resource};
use portcullis::policy::{Blame, Cause, Decision, Evaluate, PolicySet};
use portcullis::wasm::{Engine, Loaded, inspect};
use portcullis::{replay, review};
use portcullis_contract::reads::Reads;
use portcullis_contract::{PatchOperation, Redaction, Request};
use portcullis_sdk::image::Reference;
use portcullis_sdk::quantity::Quantity;
use serde_json::{Map, Value, json};

use super::fuzz;
use crate::guests::text::Guest;
use crate::support::root;

static ENGINE: LazyLock<Arc<Engine>> =
    LazyLock::new(|| Arc::new(Engine::new().expect("an engine")));

#[test]
fn any_body_of_a_review_is_answered_by_its_uid_or_refused() {
    let folder = std::fs::read_dir(root().join("tests/data/reviews")).expect("reviews");
    let recorded =
        folder.map(|file| std::fs::read(file.expect("a file").path()).expect("a review"));
    let set = PolicySet::new(vec![], ["kube-system".to_owned()].into()).expect("a set");
    fuzz("review", recorded.collect(), |body| {
        let Ok(decoded) = review::decode(body) else {
            return;
        };
        assert!(!decoded.uid.is_empty());
        let decision = match &decoded.request {
            Ok(request) => {
                replay::decide(&set, request, Phase::Mutate, None);
                replay::decide(&set, request, Phase::Validate, None)
            }
            Err(problem) => {
                let refusal = answered(&review::encode_refusal(&decoded.uid, problem));
                assert_eq!(refusal["response"]["uid"], json!(decoded.uid));
                assert_eq!(refusal["response"]["allowed"], json!(false));
                Decision::default()
            }
        };
        let answer = answered(&review::encode(&decoded.uid, &decision));
        assert_eq!(answer["response"]["uid"], json!(decoded.uid));
        assert_eq!(answer["response"]["allowed"], json!(true));
    });
}

fn answered(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("an answer is JSON")
}

#[test]
fn any_patch_is_applied_or_refused_and_never_changes_what_identifies_an_object() {
    fuzz("patch", vec![], |input| {
        let Ok((object, patch)) = serde_json::from_slice::<(Value, Vec<PatchOperation>)>(input)
        else {
            return;
        };
        let Ok(patched) = apply(&object, &patch) else {
            return;
        };
        for path in [
            "/kind",
            "/apiVersion",
            "/metadata/uid",
            "/metadata/name",
            "/metadata/namespace",
        ] {
            assert_eq!(object.pointer(path), patched.pointer(path), "{path}");
        }
        // What leads from the one to the other is a patch that applies.
        if object.is_object() && patched.is_object() {
            let again = apply(&object, &diff(&object, &patched)).expect("a diff applies");
            assert!(diff(&again, &patched).is_empty());
        }
    });
}

#[test]
fn any_reads_project_any_request_to_json_without_the_values_of_a_secret() {
    fuzz("projection", vec![], |input| {
        let Ok((reads, request)) =
            serde_json::from_slice::<(Vec<String>, Map<String, Value>)>(input)
        else {
            return;
        };
        let Ok(reads) = Reads::parse(reads.iter().map(String::as_str)) else {
            return;
        };
        let namespace = Value::Null;
        for redaction in [Redaction::None, Redaction::Blank] {
            let request = Request::new(&request, &namespace);
            let text = reads.project(&request, redaction);
            let projected: Value = serde_json::from_str(&text).expect("a projection is JSON");
            assert!(projected.is_object(), "{text}");
        }
    });
}

#[test]
fn any_image_reference_is_split_without_loss() {
    fuzz("reference", vec![], |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let split = Reference::split(text);
        let tag = split.tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = split
            .digest
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        assert_eq!(format!("{}{tag}{digest}", split.name), text);
        assert!(split.components().count() > 0);
        if let Ok(parsed) = Reference::parse(text) {
            assert_eq!(parsed, split);
            assert!(parsed.components().all(|part| !part.is_empty()), "{text}");
        }
    });
}

#[test]
fn any_quantity_is_read_or_refused() {
    fuzz("quantity", vec![], |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let Ok(quantity) = text.parse::<Quantity>() else {
            return;
        };
        let nanos = quantity.nanos();
        assert_eq!(quantity.is_zero(), nanos == 0, "{text}");
        assert_eq!(quantity.is_negative(), nanos < 0, "{text}");
        assert_eq!(quantity.is_whole(), nanos % 1_000_000_000 == 0, "{text}");
        let one: Quantity = "1".parse().expect("a quantity");
        assert!(
            !quantity.exceeds(one, quantity),
            "{text} is no more than itself"
        );
        if nanos > 0 && !text.starts_with('+') {
            let less: Quantity = format!("-{text}").parse().expect("its negation");
            assert!(less.is_negative(), "{text}");
        }
    });
}

#[test]
fn any_document_is_a_policy_that_can_be_written_again_or_refused_with_a_place() {
    let pack = ["observe", "starter", "strict"]
        .into_iter()
        .flat_map(|profile| [profile.to_owned(), format!("{profile}/effects")])
        .flat_map(|folder| std::fs::read_dir(root().join("pack").join(folder)).expect("a profile"));
    let pack = pack.map(|file| file.expect("a file").path());
    let pack = pack.filter(|path| path.is_file());
    let pack = pack.map(|path| std::fs::read(path).expect("a policy"));
    fuzz("policy", pack.collect(), |input| {
        for object in portcullis_manifest::read(input).objects {
            match Resource::parse(&object.value) {
                Ok(resource) => {
                    let again = json!({"apiVersion": API_VERSION, "kind": KIND,
                        "metadata": {"name": resource.name.as_str()}, "spec": resource.spec});
                    assert_eq!(Resource::parse(&again), Ok(resource));
                }
                Err(error) => {
                    object.position(&error.pointer);
                    assert!(!error.to_string().is_empty());
                }
            }
        }
    });
}

#[test]
fn any_component_is_refused_or_loads() {
    let guest = Guest {
        beside: "(component (core module))".into(),
        ..Guest::default()
    };
    fuzz(
        "component",
        vec![Guest::default().component(), guest.component()],
        |input| {
            let inspected = inspect(input);
            let loaded = Loaded::new(&ENGINE, input);
            let Ok(loaded) = loaded else {
                return;
            };
            assert_eq!(
                inspected.expect("it was inspected").imports,
                Vec::<String>::new()
            );
            // What passes so far meets wizer and the compiler.
            let obstacle = loaded.snapshot_obstacle(&Map::new(), Limits::default());
            let trial = loaded.trial();
            for failure in [obstacle.err(), trial.err()].into_iter().flatten() {
                assert_eq!(failure.blame, Blame::Guest, "{failure}");
            }
        },
    );
}

#[test]
fn any_answer_is_a_verdict_that_was_declared_or_a_failure() {
    // It answers with the request, so that the text takes the way of an answer.
    let echo = "(i32.store (i32.const 24) (local.get 0)) (i32.store (i32.const 28) (local.get 1))
        (i32.const 24)";
    let echo = Guest {
        evaluate: echo.into(),
        ..Guest::default()
    };
    let echo = echo.described(|description| {
        description["mutating"] = json!(true);
        description["effects"] = json!(["Secret"]);
    });
    let loaded = Loaded::new(&ENGINE, &echo.component()).expect("a policy");
    let program = loaded
        .program(&Map::new(), Limits::default())
        .expect("it loads");
    fuzz("output", vec![], |input| {
        let text = String::from_utf8_lossy(input);
        match program.evaluate(&text, Instant::now() + Duration::from_secs(5)) {
            Ok(verdict) => {
                assert!(verdict.error.is_none());
                assert!(verdict.findings.iter().all(|finding| finding.code == "c"));
            }
            Err(failure) => {
                let causes = [Cause::Output, Cause::Refused, Cause::Memory, Cause::Trap];
                assert!(causes.contains(&failure.cause), "{failure}");
                assert!(
                    !failure.message.chars().any(char::is_control),
                    "{failure:?}"
                );
            }
        }
    });
}
