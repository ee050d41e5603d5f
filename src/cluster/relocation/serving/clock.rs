//! What time it is for the API server: `creationTimestamp` is by its clock, and the
//! one of this machine may be an hour ahead of it.

use axum::http::Request;
use axum::http::header::DATE;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::Client;
use kube::client::Body;

use crate::cluster::told::one_line;

/// Any answer bears the time, a refusal too; this one is small.
const PATH: &str = "/version";

/// Seconds since 1970, by the `Date` of an answer (RFC 9110, section 6.6.1).
///
/// # Errors
///
/// There is no answer, or none with a time; one line.
pub(super) async fn now(client: &Client) -> Result<i64, String> {
    let request = Request::get(PATH).body(Body::empty());
    let request = request.map_err(|error| one_line(&error))?;
    let answer = client.send(request).await;
    let answer = answer.map_err(|error| one_line(&error))?;
    let date = answer
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok());
    date.and_then(seconds)
        .ok_or_else(|| "the API server does not say what time it is (`Date`)".to_owned())
}

fn seconds(date: &str) -> Option<i64> {
    let time = rfc2822::parse(date).ok()?;
    Some(time.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        // The example of RFC 9110, section 5.6.7.
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("yesterday"), None);
    }
}
