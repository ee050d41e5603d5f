//! What a request asks of the API server, in the words of RBAC.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

/// What an account did: what a rule of a role would have to grant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Whose token it was: `system:serviceaccount:NAMESPACE:NAME`. Empty
    /// without a token that says so.
    pub account: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or
    /// `deletecollection`.
    pub verb: String,
    /// Empty for the core group, and for what is no resource.
    pub group: String,
    /// `pods`, `pods/status`; the path (`/readyz`) for what is no resource.
    pub resource: String,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Who does what.
    pub(super) access: Access,
    /// Empty for cluster-scoped objects and for all namespaces.
    pub(super) namespace: String,
    /// Empty for a list, and for an object that is to be made.
    pub(super) name: String,
}

impl Call {
    /// Reads the first lines of a request.
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Call {
        let path = uri.path();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => ("", &[][..]),
        };
        let [namespace, resource, name, subresource] = object(rest);
        let is_resource = !resource.is_empty();
        let verb = match is_resource {
            true => verb(method, uri.query().unwrap_or_default(), name),
            false => method.as_str().to_ascii_lowercase(),
        };
        let resource = match (is_resource, subresource) {
            (false, _) => path.to_owned(),
            (true, "") => resource.to_owned(),
            (true, subresource) => format!("{resource}/{subresource}"),
        };
        Call {
            access: Access {
                account: account(headers),
                verb,
                group: if is_resource { group } else { "" }.to_owned(),
                resource,
            },
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// Namespace, resource, name and subresource of a path after its version.
fn object<'p>(rest: &[&'p str]) -> [&'p str; 4] {
    match *rest {
        [] => [""; 4],
        // A namespace is an object itself, and has subresources.
        ["namespaces", name] => [name, "namespaces", name, ""],
        ["namespaces", name, sub @ ("status" | "finalize")] => [name, "namespaces", name, sub],
        ["namespaces", namespace, resource] => [namespace, resource, "", ""],
        ["namespaces", namespace, resource, name] => [namespace, resource, name, ""],
        ["namespaces", namespace, resource, name, sub, ..] => [namespace, resource, name, sub],
        [resource] => ["", resource, "", ""],
        [resource, name] => ["", resource, name, ""],
        [resource, name, sub, ..] => ["", resource, name, sub],
    }
}

fn verb(method: &Method, query: &str, name: &str) -> String {
    let is_watch = query
        .split('&')
        .any(|pair| matches!(pair, "watch" | "watch=1" | "watch=true"));
    let verb = match (method.as_str(), name) {
        ("GET" | "HEAD", _) if is_watch => "watch",
        ("GET" | "HEAD", "") => "list",
        ("GET" | "HEAD", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", "") => "deletecollection",
        ("DELETE", _) => "delete",
        (other, _) => return other.to_ascii_lowercase(),
    };
    verb.to_owned()
}

/// Who a token says that its bearer is. It is for the API server to doubt it.
fn account(headers: &HeaderMap) -> String {
    let subject = || {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let payload = value.strip_prefix("Bearer ")?.split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Value = serde_json::from_slice(&payload).ok()?;
        Some(payload["sub"].as_str()?.to_owned())
    };
    subject().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str) -> (String, String, String, String, String) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let call = Call::new(&method, &uri.parse().expect("a URI"), &HeaderMap::new());
        let Access {
            verb,
            group,
            resource,
            ..
        } = call.access;
        (verb, group, resource, call.namespace, call.name)
    }

    #[test]
    fn requests_are_read_as_rbac_reads_them() {
        for (method, uri, expected) in [
            ("GET", "/readyz?verbose", "get||/readyz||"),
            ("GET", "/apis/apps/v1", "get||/apis/apps/v1||"),
            ("GET", "/api/v1/pods", "list||pods||"),
            ("GET", "/api/v1/pods?watch=true&a=b", "watch||pods||"),
            ("GET", "/api/v1/namespaces/a/pods", "list||pods|a|"),
            ("GET", "/api/v1/namespaces/a/pods/b", "get||pods|a|b"),
            (
                "PUT",
                "/api/v1/namespaces/a/pods/b/status",
                "update||pods/status|a|b",
            ),
            ("GET", "/api/v1/namespaces/a", "get||namespaces|a|a"),
            (
                "PUT",
                "/api/v1/namespaces/a/finalize",
                "update||namespaces/finalize|a|a",
            ),
            (
                "POST",
                "/apis/apps/v1/namespaces/a/deployments",
                "create|apps|deployments|a|",
            ),
            ("PATCH", "/apis/x.dev/v1/things/b", "patch|x.dev|things||b"),
            (
                "PATCH",
                "/apis/x.dev/v1/things/b/status",
                "patch|x.dev|things/status||b",
            ),
            (
                "DELETE",
                "/apis/x.dev/v1/things/b",
                "delete|x.dev|things||b",
            ),
            (
                "DELETE",
                "/apis/x.dev/v1/things",
                "deletecollection|x.dev|things||",
            ),
        ] {
            let (verb, group, resource, namespace, name) = call(method, uri);
            let read = [verb, group, resource, namespace, name].join("|");
            assert_eq!(read, expected, "{method} {uri}");
        }
    }

    #[test]
    fn an_account_is_what_its_token_says() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"system:serviceaccount:a:b"}"#);
        for (value, expected) in [
            (format!("Bearer x.{payload}.y"), "system:serviceaccount:a:b"),
            (format!("Basic x.{payload}.y"), ""),
            ("Bearer opaque".to_owned(), ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("a value"));
            assert_eq!(account(&headers), expected, "{value}");
        }
    }
}
