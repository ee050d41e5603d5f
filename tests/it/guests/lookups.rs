//! The capability `lookups`, with a policy of the pack that has it.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::load::ready;
use portcullis::policy::lookup::{Inventory, LookupGrant, LookupScope, Unseen, View};
use portcullis::policy::spec::{Limits, ProgramRef};
use portcullis::policy::{Asked, Blame, Cause, Evaluate, Failure, Others, Sight, Spec};
use portcullis::wasm::{Loaded, Program};
use portcullis_contract::{DESCRIPTION_SECTION, Description, LabelSelector, Verdict};
use serde_json::{Map, json};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{Parser, Payload};

use super::ENGINE;
use crate::support::root;

fn component() -> Vec<u8> {
    let path = root().join("target/policies/disruption-budget.wasm");
    std::fs::read(path).expect("run `cargo xtask build` first")
}

/// The same, which says something else of itself.
fn described(change: impl Fn(&mut Description)) -> Vec<u8> {
    let mut bytes = component();
    let mut description = loaded(&bytes).description().as_ref().clone();
    change(&mut description);
    let is_ours = |payload: &Payload<'_>| matches!(payload, Payload::CustomSection(section) if section.name() == DESCRIPTION_SECTION);
    let range = {
        let mut payloads = Parser::new(0).parse_all(&bytes).map_while(Result::ok);
        let found = payloads.find(is_ours).and_then(|one| one.as_section());
        found.expect("it is described").1
    };
    // Before its content stand the section's kind and, in bytes of seven bits, its length.
    let length = (range.len().max(1).ilog2() / 7 + 1) as usize;
    let start = range.start - length - 1;
    assert_eq!(range.end, bytes.len(), "it is the last section");
    bytes.truncate(start);
    let data = serde_json::to_vec(&description).expect("JSON").into();
    let section = CustomSection {
        name: DESCRIPTION_SECTION.into(),
        data,
    };
    section.append_to_component(&mut bytes);
    bytes
}

fn loaded(bytes: &[u8]) -> Loaded {
    Loaded::new(&ENGINE, bytes).expect("a policy")
}

fn spec(loaded: &Loaded, scope: LookupScope) -> Spec {
    let mut spec = Spec::of(ProgramRef::Builtin("tried".into()));
    spec.lookups = LookupGrant::everything(loaded.description());
    for grant in &mut spec.lookups {
        grant.scope = scope;
    }
    spec
}

/// The policy as it is granted what it looks up, and its sight.
fn granted() -> (Program, Arc<Sight>) {
    let loaded = loaded(&component());
    let sight = Sight::new(loaded.description(), &spec(&loaded, LookupScope::Namespace));
    let sight = Arc::new(sight.expect("granted"));
    let program = loaded
        .program(&Map::new(), Limits::default())
        .expect("it loads");
    (program.seeing(&sight), sight)
}

/// What it says of two replicas in `shop`, within `time`.
fn ask(program: &Program, others: &Arc<dyn Others>, time: Duration) -> Result<Verdict, Failure> {
    let labels = json!({"app": "web"});
    let request = json!({"kind": {"kind": "Deployment"}, "object": {"spec": {"replicas": 2,
        "template": {"metadata": {"labels": labels}}}}});
    let asked = Asked {
        request: &request.to_string(),
        namespace: Some("shop"),
        others: Some(others),
        looked: None,
    };
    program.judge(asked, Instant::now() + time)
}

const SOON: Duration = Duration::from_secs(5);

/// Answers nothing but this, after a while.
struct Always(Result<String, Unseen>, Duration);

impl Others for Always {
    fn get(&self, _: &View, _: &str, _: &str) -> Result<Option<String>, Unseen> {
        self.0.clone().map(Some)
    }

    fn list(&self, _: &View, _: Option<&str>, _: Option<&LabelSelector>) -> Result<String, Unseen> {
        std::thread::sleep(self.1);
        self.0.clone()
    }
}

fn always(answer: Result<&str, Unseen>) -> Arc<dyn Others> {
    Arc::new(Always(answer.map(str::to_owned), Duration::ZERO))
}

#[test]
fn a_guest_sees_what_is_there_and_nothing_is_kept_between_two() {
    let (program, sight) = granted();
    let codes = |others: &Arc<dyn Others>| {
        let verdict = ask(&program, others, SOON).expect("a verdict");
        let findings = verdict.findings.into_iter();
        findings.map(|finding| finding.code).collect::<Vec<_>>()
    };
    let mut inventory = Inventory::new(sight.granted());
    let none: Arc<dyn Others> = Arc::new(Inventory::new(sight.granted()));
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    inventory.add(&budget, |_, _| false);
    let one: Arc<dyn Others> = Arc::new(inventory);
    for _ in 0..3 {
        assert_eq!(codes(&none), ["no-pdb"]);
        assert!(codes(&one).is_empty());
    }
}

#[test]
fn what_is_not_known_is_a_failure_whatever_the_guest_would_make_of_it() {
    let (program, _) = granted();
    let unknown = Unseen::Unknown("the first list is not complete yet".into());
    let failure = ask(&program, &always(Err(unknown)), SOON).expect_err("not known");
    assert_eq!((failure.blame, failure.cause), (Blame::Host, Cause::Lookup));
    assert!(
        failure.message.contains("`poddisruptionbudgets.policy`"),
        "{failure}"
    );
    assert!(failure.message.contains("not complete yet"), "{failure}");
    let failure = ask(&program, &always(Err(Unseen::TooLong)), SOON).expect_err("too long");
    assert_eq!(
        (failure.blame, failure.cause),
        (Blame::Guest, Cause::Lookup)
    );
    // It could do without the grant, but was given it.
    let forbidden = always(Err(Unseen::Forbidden("no right".into())));
    let failure = ask(&program, &forbidden, SOON).expect_err("no right");
    assert_eq!((failure.blame, failure.cause), (Blame::Host, Cause::Lookup));
    assert!(failure.message.contains("no right"), "{failure}");
}

#[test]
fn an_answer_that_is_not_what_the_guest_reads_is_no_verdict() {
    let (program, _) = granted();
    for answer in ["", "{}", "[1]", r#"[{"metadata": {"name": 7}}]"#] {
        let failure = ask(&program, &always(Ok(answer)), SOON).expect_err("unreadable");
        assert_eq!(failure.cause, Cause::Refused, "{answer}: {failure}");
    }
}

#[test]
fn a_lookup_is_of_the_time_that_there_is() {
    let (program, _) = granted();
    let slow: Arc<dyn Others> = Arc::new(Always(Ok("[]".into()), Duration::from_millis(300)));
    let failure = ask(&program, &slow, Duration::from_millis(100)).expect_err("too late");
    assert_eq!(failure.cause, Cause::Deadline, "{failure}");
}

#[test]
fn a_program_that_was_told_of_nothing_cannot_look_up() {
    let loaded = loaded(&component());
    let program = loaded
        .program(&Map::new(), Limits::default())
        .expect("it loads");
    let failure = ask(&program, &always(Ok("[]")), SOON).expect_err("nothing was granted");
    assert_eq!(failure.cause, Cause::Lookup, "{failure}");
}

#[test]
fn a_verdict_that_hangs_on_what_was_looked_up_is_told_from_others() {
    let (sighted, _) = granted();
    let loaded = loaded(&component());
    let spec = Spec::of(ProgramRef::Builtin("tried".into()));
    let blind = Sight::new(loaded.description(), &spec).expect("it is optional");
    let program = loaded
        .program(&Map::new(), Limits::default())
        .expect("it loads");
    let alone = program.identity().expect("it can be remembered");
    let blind = program.seeing(&Arc::new(blind));
    assert_eq!(blind.identity(), Some(alone));
    assert_ne!(sighted.identity().expect("of its own"), alone);
    let others = always(Ok("[]"));
    for (program, replicas, looks) in [
        (&sighted, 2, true),
        (&sighted, 0, false),
        (&blind, 2, false),
    ] {
        let labels = json!({"app": "web"});
        let request = json!({"kind": {"kind": "Deployment"}, "object": {"spec": {"replicas": replicas,
            "template": {"metadata": {"labels": labels}}}}});
        let looked = Cell::new(false);
        let asked = Asked {
            request: &request.to_string(),
            namespace: Some("shop"),
            others: Some(&others),
            looked: Some(&looked),
        };
        let verdict = program.judge(asked, Instant::now() + SOON);
        verdict.expect("a verdict");
        assert_eq!(looked.get(), looks, "{replicas} replicas");
    }
}

#[test]
fn lookups_that_are_imported_and_not_described_are_refused() {
    let bytes = described(|description| description.lookups.clear());
    let failure = Loaded::new(&ENGINE, &bytes).err().expect("refused");
    assert_eq!(failure.cause, Cause::Import);
    assert!(
        failure.message.contains("names nothing that it looks up"),
        "{failure}"
    );
}

#[test]
fn a_policy_is_not_loaded_without_the_grant_that_it_needs() {
    let loaded = loaded(&component());
    let mut description = loaded.description().as_ref().clone();
    description.lookups[0].optional = false;
    let spec = Spec::of(ProgramRef::Builtin("tried".into()));
    let failure = ready(&loaded, &description, &spec).err().expect("refused");
    assert_eq!(failure.cause, Cause::Grant);
    let remedy = "`spec.lookups: [{apiGroup: policy, resource: poddisruptionbudgets}]`";
    assert!(failure.message.contains(remedy), "{failure}");
}
