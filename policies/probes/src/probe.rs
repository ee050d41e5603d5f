//! A probe as the API server understands it: with its defaults.

use portcullis_sdk::pod::List;
use portcullis_sdk::{Reads, Text};
use serde::Deserialize;
use serde_json::Value;

/// What is read of a probe.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Probe<'a> {
    #[serde(borrow)]
    exec: Option<Exec<'a>>,
    http_get: Option<HttpGet<'a>>,
    tcp_socket: Option<TcpSocket<'a>>,
    grpc: Option<Grpc<'a>>,
    initial_delay_seconds: Option<i64>,
    timeout_seconds: Option<i64>,
    period_seconds: Option<i64>,
    success_threshold: Option<i64>,
    failure_threshold: Option<i64>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Exec<'a> {
    #[serde(borrow)]
    command: List<Text<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpGet<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    path: Text<'a>,
    scheme: Text<'a>,
    http_headers: List<Header<'a>>,
    port: Value,
}

#[derive(Debug, Default, PartialEq, Reads, Deserialize)]
#[serde(default)]
struct Header<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    value: Text<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct TcpSocket<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    port: Value,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Grpc<'a> {
    #[serde(borrow)]
    service: Text<'a>,
    port: Value,
}

/// What is read of a container's port.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Port<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    pub(crate) protocol: Text<'a>,
    container_port: Option<i64>,
}

impl Port<'_> {
    pub(crate) fn number(&self) -> Option<i64> {
        self.container_port
    }
}

impl Probe<'_> {
    /// Whether it asks nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.exec.is_none()
            && self.http_get.is_none()
            && self.tcp_socket.is_none()
            && self.grpc.is_none()
    }

    /// Seconds from one probe to the next.
    pub(crate) fn period(&self) -> i64 {
        self.numbers()[2]
    }

    /// Whether both ask the same in the same way, where `ports` are those of
    /// the container. `terminationGracePeriodSeconds` does not count: only a
    /// liveness probe can have it.
    pub(crate) fn is_same(&self, other: &Probe<'_>, ports: &[Port<'_>]) -> bool {
        self.numbers() == other.numbers()
            && both(&self.exec, &other.exec, |a, b| *a.command == *b.command)
            && both(&self.http_get, &other.http_get, |a, b| a.is_same(b, ports))
            && both(&self.tcp_socket, &other.tcp_socket, |a, b| {
                a.host == b.host && resolve(&a.port, ports) == resolve(&b.port, ports)
            })
            && both(&self.grpc, &other.grpc, |a, b| {
                a.service == b.service && a.port == b.port
            })
    }

    /// Delay, timeout, period, successes, failures; absent or 0 is the
    /// default (Kubernetes API 1.36, `SetDefaults_Probe`).
    fn numbers(&self) -> [i64; 5] {
        let given = |number: Option<i64>, default| match number {
            None | Some(0) => default,
            Some(number) => number,
        };
        [
            given(self.initial_delay_seconds, 0),
            given(self.timeout_seconds, 1),
            given(self.period_seconds, 10),
            given(self.success_threshold, 1),
            given(self.failure_threshold, 3),
        ]
    }
}

impl HttpGet<'_> {
    fn is_same(&self, other: &HttpGet<'_>, ports: &[Port<'_>]) -> bool {
        self.host == other.host
            && or(&self.path, "/") == or(&other.path, "/")
            && or(&self.scheme, "HTTP") == or(&other.scheme, "HTTP")
            && *self.http_headers == *other.http_headers
            && resolve(&self.port, ports) == resolve(&other.port, ports)
    }
}

/// Whether both are there and the same, or neither is there.
fn both<T>(one: &Option<T>, other: &Option<T>, is_same: impl Fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_same(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn or<'t>(text: &'t str, default: &'t str) -> &'t str {
    if text.is_empty() { default } else { text }
}

/// The number of a port that is given by its name, where it has one.
fn resolve(port: &Value, ports: &[Port<'_>]) -> Value {
    let named = port
        .as_str()
        .and_then(|name| ports.iter().find(|port| *port.name == *name))
        .and_then(Port::number);
    named.map_or_else(|| port.clone(), Value::from)
}
