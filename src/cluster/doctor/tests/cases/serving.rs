//! Who answers.

use serde_json::{Value, json};

use super::{Case, case};
use crate::cluster::doctor::Grade;
use crate::cluster::doctor::served::Answer;
use crate::cluster::doctor::tests::healthy::{DAY, NOW, certificates, pod, secret};

/// All of it.
pub(super) fn serving() -> Vec<Case> {
    use Grade::{Note, Problem};
    vec![
        (
            "replicas",
            Problem,
            "replica b is not ready",
            case(|seen| {
                seen.pods = Some(vec![pod("a", "p:1", "True"), pod("b", "p:1", "False")]);
            }),
        ),
        (
            "replicas",
            Note,
            "there is one replica",
            case(|seen| seen.pods = Some(vec![pod("a", "p:1", "True")])),
        ),
        (
            "replicas",
            Problem,
            "wants 2 healthy replicas, and 1 are",
            case(|seen| {
                seen.budgets.as_mut().expect("seen")[0]["status"] =
                    json!({"currentHealthy": 1, "desiredHealthy": 2});
            }),
        ),
        (
            "versions",
            Problem,
            "1 of p:1, 1 of p:2",
            case(|seen| {
                seen.pods = Some(vec![pod("a", "p:1", "True"), pod("b", "p:2", "True")]);
            }),
        ),
        (
            "leader",
            Problem,
            "no replica leads",
            case(|seen| seen.lease = Some(Value::Null)),
        ),
        (
            "leader",
            Problem,
            "has not renewed the Lease",
            case(|seen| {
                seen.lease.as_mut().expect("seen")["spec"]["renewTime"] =
                    "2027-01-15T07:58:00Z".into();
            }),
        ),
        (
            "endpoints",
            Problem,
            "Service portcullis/portcullis is not there",
            case(|seen| seen.service = Some(Value::Null)),
        ),
        (
            "endpoints",
            Problem,
            "has no endpoint that is ready",
            case(|seen| {
                seen.slices = Some(vec![
                    json!({"endpoints": [{"conditions": {"ready": false}}]}),
                ]);
            }),
        ),
        (
            "served",
            Problem,
            "callers refuse: invalid peer certificate",
            case(|seen| {
                let why = "invalid peer certificate: UnknownIssuer".to_owned();
                seen.served[0].answer = Answer::Refused(why);
            }),
        ),
        (
            "certificate",
            Problem,
            "expires in 8 days",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 22 * DAY + 600))));
            }),
        ),
        (
            "certificate",
            Note,
            "expires in 12 days",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 18 * DAY + 600))));
            }),
        ),
        (
            "certificate",
            Problem,
            "has expired",
            case(|seen| {
                seen.secret = Some(Some(secret(&certificates(NOW - 40 * DAY))));
            }),
        ),
        (
            "certificate",
            Problem,
            "`tls.key`",
            case(|seen| {
                let secret = seen.secret.as_mut().and_then(Option::as_mut).expect("seen");
                secret.data.as_mut().expect("data").remove("tls.key");
            }),
        ),
        (
            "certificate",
            Problem,
            "is not for other.portcullis.svc",
            case(|seen| seen.place.service = "other".into()),
        ),
    ]
}
