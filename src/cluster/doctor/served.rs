//! The certificates that replicas really serve, as far as they can be reached
//! from here: each is asked as the API server would, by the name of the Service
//! and trusting the registered CAs alone.
//!
//! The API server's proxy is no way to them: it shows no certificate.

use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;

use super::seen::{list, text};
use super::{Grade, Said, Seen, note, problem};
use crate::cluster::certificates::expiry;
use crate::cluster::registrations::ca_of;
use crate::cluster::self_call::connector;

/// Whoever is on the same network answers at once.
const PATIENCE: Duration = Duration::from_secs(2);
/// More replicas than that nobody runs.
const MOST: usize = 10;

/// What came of asking one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// `HOST:PORT`
    pub at: String,
    /// What it answered.
    pub answer: Answer,
}

/// What a replica answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A certificate that callers take; when it expires, Unix seconds.
    Taken(i64),
    /// One that callers refuse, and why.
    Refused(String),
    /// Nothing, and why: it may well answer others.
    Unreached(String),
}

/// What those behind the Service serve; nothing where no CA is registered.
pub(super) async fn look(seen: &Seen) -> Vec<Served> {
    let mut ours = seen.ours().into_iter().flatten();
    let Some(bundle) = ours.find_map(ca_of) else {
        return vec![];
    };
    let place = &seen.place;
    let places = match &place.served_at {
        Some(at) => vec![at.clone()],
        None => endpoints(seen.slices.as_deref().unwrap_or_default()),
    };
    let name = format!("{}.{}.svc", place.service, place.namespace);
    ask(places, &name, &bundle).await
}

/// Where replicas listen, as the EndpointSlices of their Service have it.
fn endpoints(slices: &[Value]) -> Vec<String> {
    let of_slice = |slice: &Value| {
        let ports = list(slice, "/ports");
        let named = ports.iter().find(|port| text(port, "/name") == "https");
        let port = named
            .or(ports.first())
            .and_then(|port| port["port"].as_u64());
        let ready = list(slice, "/endpoints").iter();
        let ready = ready.filter(|one| one["conditions"]["ready"] != false);
        let hosts = ready.map(|one| text(one, "/addresses/0").to_owned());
        let place = |host: String| match (host.contains(':'), port?) {
            (true, port) => Some(format!("[{host}]:{port}")),
            (false, port) => Some(format!("{host}:{port}")),
        };
        hosts.filter_map(place).collect::<Vec<_>>()
    };
    slices.iter().flat_map(of_slice).take(MOST).collect()
}

/// Asks each of them for the certificate of `name`, trusting `bundle` (PEM).
async fn ask(places: Vec<String>, name: &str, bundle: &str) -> Vec<Served> {
    let ask = |at: String| async move {
        let asked = tokio::time::timeout(PATIENCE, one(&at, name, bundle));
        let nothing = |_| Answer::Unreached(format!("no answer in {PATIENCE:?}"));
        let answer = asked.await.unwrap_or_else(nothing);
        Served { at, answer }
    };
    futures_util::future::join_all(places.into_iter().map(ask)).await
}

async fn one(at: &str, name: &str, bundle: &str) -> Answer {
    let unreached = |error: &dyn std::fmt::Display| Answer::Unreached(error.to_string());
    let (connector, name) = match (connector(bundle), name.to_owned().try_into()) {
        (Ok(connector), Ok(name)) => (connector, name),
        (Err(error), _) => return unreached(&error),
        (_, Err(error)) => return unreached(&error),
    };
    let stream = match TcpStream::connect(at).await {
        Ok(stream) => stream,
        Err(error) => return unreached(&error),
    };
    match connector.connect(name, stream).await {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let expires = shown.first().and_then(|leaf| expiry(leaf));
            expires.map_or_else(|| unreached(&"it shows no certificate"), Answer::Taken)
        }
        Err(error) => {
            let inner = error.get_ref();
            match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error @ rustls::Error::InvalidCertificate(_)) => {
                    Answer::Refused(error.to_string())
                }
                _ => unreached(&error),
            }
        }
    }
}

/// Replicas serve what callers take, and that for a while.
pub(super) fn served(seen: &Seen) -> Vec<Said> {
    let said = |Served { at, answer }: &Served| match answer {
        Answer::Taken(expires) => expiring(at, expires - seen.now.as_second()),
        Answer::Refused(why) => Some(problem(
            format!("the replica at {at} serves a certificate that callers refuse: {why}"),
            "see that its watch of the Secret gets on (its log says so), or delete its pod",
        )),
        Answer::Unreached(why) => Some(Said(
            Grade::Unknown,
            format!("the certificate that {at} serves cannot be seen from here: {why}"),
            format!(
                "run the doctor in the cluster, or `kubectl -n {} port-forward deploy/{} 8443` and \
                 give --served-at localhost:8443",
                seen.place.namespace, seen.place.service
            ),
        )),
    };
    seen.served.iter().filter_map(said).collect()
}

fn expiring(at: &str, left: i64) -> Option<Said> {
    const DAY: i64 = 24 * 60 * 60;
    let days = left.div_euclid(DAY);
    let message = format!("the certificate that {at} serves expires in {days} days");
    let remedy = "see that the Secret holds a newer one, and that its watch gets on";
    match days {
        // A leaf of ours is renewed with ten left.
        ..7 => Some(problem(message, remedy)),
        7..14 => Some(note(message, remedy)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replicas_are_found_by_the_slices_of_their_service() {
        let slice = json!({
            "ports": [{"name": "metrics", "port": 8080}, {"name": "https", "port": 8443}],
            "endpoints": [
                {"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}},
                {"addresses": ["fd00::3"], "conditions": {}},
            ],
        });
        assert_eq!(endpoints(&[slice]), ["10.0.0.1:8443", "[fd00::3]:8443"]);
        assert_eq!(
            endpoints(&[json!({"endpoints": [{}]})]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn who_cannot_be_reached_is_neither_good_nor_bad() {
        let line = |answer| {
            let mut seen = Seen::default();
            let at = "10.0.0.1:8443".to_owned();
            seen.served = vec![Served { at, answer }];
            super::super::diagnose(&seen)
        };
        let unreached = line(Answer::Unreached("refused".to_owned()));
        assert_eq!(unreached[0].grade, Grade::Unknown);
        assert_eq!(super::super::exit_code(&unreached), 0);
        for (days, count) in [(20, 0), (10, 1), (3, 1), (-1, 1)] {
            let said = line(Answer::Taken(days * 24 * 60 * 60));
            assert_eq!(said.len(), count, "{days}: {said:?}");
        }
    }
}
