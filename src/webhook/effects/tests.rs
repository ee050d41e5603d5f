use std::sync::Arc;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use portcullis_contract::{Effect, Finding, Level, Permission};
use serde_json::{Value, json};

use super::*;
use crate::policy::action::{Action, Actions};
use crate::policy::{FailurePolicy, Judged};
use crate::review;
use crate::server::Health;
use crate::webhook::surroundings::Vetted;

/// A cluster that does what it is told to, and remembers what it was asked.
struct Cluster {
    ensures: Result<(), String>,
    permits: Result<bool, String>,
    calls: Result<Vec<String>, String>,
    asked: Mutex<Vec<String>>,
}

impl Surroundings for Cluster {
    fn is_ready(&self) -> bool {
        true
    }

    fn namespace<'a>(&'a self, _: &'a str, _: Instant) -> BoxFuture<'a, Option<Arc<Value>>> {
        Box::pin(async { None })
    }

    fn ensure<'a>(&'a self, wanted: &'a Wanted, _: Instant) -> BoxFuture<'a, Result<(), String>> {
        self.asked.lock().expect("alone").push(wanted.title());
        Box::pin(async { self.ensures.clone() })
    }

    fn may<'a>(
        &'a self,
        _: &'a Request,
        _: &'a Permission,
        _: Instant,
    ) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async { self.permits.clone() })
    }

    fn closed_by<'a>(
        &'a self,
        _: &'a Closing,
        _: Instant,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(async { self.calls.clone() })
    }

    fn vet(&self, _: Request, _: Instant) -> BoxFuture<'_, Vetted> {
        Box::pin(async { Vetted::Good })
    }

    fn health(&self) -> Vec<Health> {
        Vec::new()
    }
}

fn cluster() -> Cluster {
    Cluster {
        ensures: Ok(()),
        permits: Ok(true),
        calls: Ok(vec![]),
        asked: Mutex::default(),
    }
}

fn request(dry_run: bool) -> Request {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "namespace": "shop"}});
    let mut request = review::create(&pod, |_, _| false);
    request.insert("dryRun".into(), dry_run.into());
    let body = review::encode_request(request);
    let review = review::decode(&body).expect("a review");
    review.request.expect("a request")
}

fn wanted(required: bool) -> Wanted {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}});
    Wanted {
        policy: "net".parse().expect("a name"),
        failure_policy: FailurePolicy::Fail,
        namespace: "shop".into(),
        effect: Effect {
            required,
            ..Effect::required("configmaps", object)
        },
    }
}

fn judged(action: Action) -> Judged {
    let finding = Finding {
        code: "c".into(),
        message: "m".into(),
        remedy: "r".into(),
        path: String::new(),
        container: None,
        within: None,
    };
    Judged {
        policy: "net".parse().expect("a name"),
        finding,
        level: Level::Error,
        actions: Actions {
            action,
            audit: false,
            moves: false,
        },
        guessed: false,
        secret: false,
        exempted: None,
    }
}

async fn acted(around: Option<&Cluster>, dry_run: bool, mut decision: Decision) -> Decision {
    let deadline = Instant::now() + Duration::from_secs(5);
    let around = around.map(|around| around as &dyn Surroundings);
    act(around, &request(dry_run), &mut decision, deadline).await;
    decision
}

fn wanting(all: &[Wanted]) -> Decision {
    Decision {
        effects: all.to_vec(),
        ..Decision::default()
    }
}

#[tokio::test]
async fn required_objects_are_had_before_the_answer_and_eventual_ones_are_not() {
    let around = cluster();
    let decision = acted(
        Some(&around),
        false,
        wanting(&[wanted(false), wanted(true)]),
    )
    .await;
    assert!(!decision.is_denied());
    let asked = around.asked.into_inner().expect("alone");
    assert_eq!(asked, ["ConfigMap `x` in the namespace `shop`"]);
}

#[tokio::test]
async fn nothing_is_written_on_dry_run_nor_for_what_is_denied() {
    let around = cluster();
    acted(Some(&around), true, wanting(&[wanted(true)])).await;
    let mut denied = wanting(&[wanted(true)]);
    denied.findings.push(judged(Action::Deny));
    acted(Some(&around), false, denied).await;
    assert!(around.asked.into_inner().expect("alone").is_empty());
}

#[tokio::test]
async fn what_cannot_be_had_is_answered_by_the_failure_policy() {
    let around = Cluster {
        ensures: Err("quota".into()),
        ..cluster()
    };
    let decision = acted(Some(&around), false, wanting(&[wanted(true), wanted(true)])).await;
    assert!(decision.is_denied());
    assert_eq!(decision.failures.len(), 1, "the second was not tried");
    let text = decision.failures[0].text();
    assert!(
        text.contains("quota") && text.contains("try again is safe"),
        "{text}"
    );
    let ignoring = Wanted {
        failure_policy: FailurePolicy::Ignore,
        ..wanted(true)
    };
    let decision = acted(Some(&around), false, wanting(&[ignoring])).await;
    assert!(!decision.is_denied() && decision.warnings().len() == 1);
    let alone = acted(None, false, wanting(&[wanted(true)])).await;
    assert!(alone.failures[0].text().contains("--cluster"));
}

#[tokio::test]
async fn a_guarded_finding_counts_where_the_user_may_not() {
    let guarded = || Decision {
        guarded: vec![Guard {
            judged: judged(Action::Deny),
            permission: Permission {
                verb: "update".into(),
                api_group: "a".into(),
                resource: "things".into(),
                name: None,
            },
            failure_policy: FailurePolicy::Fail,
        }],
        ..Decision::default()
    };
    for (permits, denied, failures) in [
        (Ok(true), false, 0),
        (Ok(false), true, 0),
        (Err("gone".to_owned()), true, 1),
    ] {
        let around = Cluster {
            permits: permits.clone(),
            ..cluster()
        };
        let decision = acted(Some(&around), true, guarded()).await;
        assert_eq!(decision.is_denied(), denied, "{permits:?}");
        assert_eq!(decision.failures.len(), failures, "{permits:?}");
    }
    assert!(!acted(None, false, guarded()).await.is_denied());
}

#[tokio::test]
async fn nothing_is_closed_to_the_api_server_that_it_calls() {
    let closing = || {
        let cut_off = json!({"finding": judged(Action::Deny).finding, "policy": {}});
        let cut_off = serde_json::from_value(cut_off).expect("a finding");
        Decision {
            closing: vec![Closing::new(
                judged(Action::Deny),
                cut_off,
                "shop",
                FailurePolicy::Ignore,
            )],
            ..Decision::default()
        }
    };
    for (calls, denied, failures) in [
        (Ok(vec![]), false, 0),
        (Ok(vec!["APIService `v1.a`".to_owned()]), true, 0),
        (Err("gone".to_owned()), false, 1),
    ] {
        let around = Cluster {
            calls: calls.clone(),
            ..cluster()
        };
        let decision = acted(Some(&around), true, closing()).await;
        assert_eq!(decision.is_denied(), denied, "{calls:?}");
        assert_eq!(decision.failures.len(), failures, "{calls:?}");
        for judged in &decision.findings {
            assert!(judged.text().contains("r: m: APIService `v1.a`"));
        }
    }
    assert!(!acted(None, false, closing()).await.is_denied());
}
