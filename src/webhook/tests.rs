use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::surroundings::Vetted;
use super::*;

/// A cluster of one namespace, which tells what it is told to.
struct Cluster {
    is_ready: AtomicBool,
    vetted: Vetted,
}

impl Surroundings for Cluster {
    fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    fn namespace<'a>(&'a self, name: &'a str, _: Instant) -> BoxFuture<'a, Option<Arc<Value>>> {
        Box::pin(async move { Some(Arc::new(review::namespace(name))) })
    }

    fn vet(&self, _: Request, _: Instant) -> BoxFuture<'_, Vetted> {
        Box::pin(async { self.vetted.clone() })
    }

    fn health(&self) -> Vec<Health> {
        Vec::new()
    }
}

fn webhook() -> Webhook {
    let set = PolicySet::new(Vec::new(), BTreeSet::new()).expect("a set");
    let set = Arc::new(ArcSwap::from_pointee(set));
    Webhook::new(set, 1, Arc::new(Metrics::default())).expect("threads")
}

fn within(is_ready: bool, vetted: Vetted) -> Webhook {
    webhook().within(Arc::new(Cluster {
        is_ready: AtomicBool::new(is_ready),
        vetted,
    }))
}

fn call(phase: Phase) -> Call {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    Call {
        phase,
        group: Group::Ignore,
        body: review::encode_request(review::create(&pod, |_, _| false)).into(),
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

fn answer(reply: &Reply) -> Value {
    let review: Value = serde_json::from_slice(&reply.body).expect("a review");
    review["response"].clone()
}

#[tokio::test]
async fn nothing_is_judged_before_the_policies_of_a_cluster_are_known() {
    let reply = within(false, Vetted::Good)
        .judge(call(Phase::Validate))
        .await;
    assert_eq!(reply.status, 503);
    let reply = within(true, Vetted::Good)
        .judge(call(Phase::Validate))
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(answer(&reply)["allowed"], true);
}

#[tokio::test]
async fn a_policy_that_was_not_tried_is_let_through_with_a_warning() {
    for (vetted, is_allowed, says) in [
        (Vetted::Good, true, ""),
        (Vetted::Untried("busy".into()), true, "busy"),
        (Vetted::Bad("no settings".into()), false, "no settings"),
    ] {
        let reply = within(true, vetted).judge(call(Phase::Policies)).await;
        let answer = answer(&reply);
        assert_eq!(answer["allowed"], is_allowed);
        assert!(answer.to_string().contains(says), "{answer}");
    }
    let reply = webhook().judge(call(Phase::Policies)).await;
    assert_eq!(reply.status, 404, "policies come from files");
}
