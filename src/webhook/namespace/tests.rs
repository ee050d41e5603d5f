use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::review;
use crate::server::Health;
use crate::webhook::surroundings::Vetted;

/// A cluster that is asked, and of which more was known before.
#[derive(Default)]
struct Cluster(Mutex<Vec<&'static str>>);

impl Cluster {
    fn answer(&self, how: &'static str) -> BoxFuture<'_, Option<Arc<Value>>> {
        self.0.lock().expect("alone").push(how);
        Box::pin(async { Some(Arc::new(json!({"metadata": {"name": "shop"}}))) })
    }
}

impl Surroundings for Cluster {
    fn is_ready(&self) -> bool {
        true
    }

    fn namespace<'a>(&'a self, _: &'a str, _: Instant) -> BoxFuture<'a, Option<Arc<Value>>> {
        self.answer("known")
    }

    fn namespace_now<'a>(&'a self, _: &'a str, _: Instant) -> BoxFuture<'a, Option<Arc<Value>>> {
        self.answer("now")
    }

    fn vet(&self, _: Request, _: Instant) -> BoxFuture<'_, Vetted> {
        Box::pin(async { Vetted::Good })
    }

    fn health(&self) -> Vec<Health> {
        Vec::new()
    }
}

async fn asked(object: &Value) -> Vec<&'static str> {
    let admission = review::create(object, |_, _| false);
    let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": admission});
    let review = review::decode(body.to_string().as_bytes()).expect("a review");
    let mut request = review.request.expect("a request");
    let (cluster, set) = (Cluster::default(), PolicySet::empty([].into()));
    let deadline = Instant::now() + LOOKUP;
    complete(Some(&cluster), &mut request, &set, deadline).await;
    cluster.0.into_inner().expect("alone")
}

#[tokio::test]
async fn what_comes_before_the_first_pod_is_judged_by_the_namespace_as_it_is_now() {
    let metadata = json!({"name": "a", "namespace": "shop"});
    for (kind, expected) in [
        ("ServiceAccount", "now"),
        ("Pod", "known"),
        ("ConfigMap", "known"),
    ] {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        assert_eq!(asked(&object).await, [expected], "{kind}");
    }
}
