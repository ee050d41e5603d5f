//! A probe as the API server understands it: with its defaults.

use std::collections::BTreeMap;

use portcullis_sdk::{Reads, Text};
use serde::Deserialize;
use serde_json::Value;

/// What is read of a readiness or a liveness probe.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Probe {
    exec: Option<Value>,
    http_get: Option<Value>,
    tcp_socket: Option<Value>,
    grpc: Option<Value>,
    initial_delay_seconds: Option<i64>,
    timeout_seconds: Option<i64>,
    period_seconds: Option<i64>,
    success_threshold: Option<i64>,
    failure_threshold: Option<i64>,
}

/// What is read of a startup probe: enough to see whether it asks anything.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Startup {
    exec: Option<Value>,
    http_get: Option<OnPort>,
    tcp_socket: Option<OnPort>,
    grpc: Option<OnPort>,
}

/// The one member that a handler on a port must have.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct OnPort {
    // A struct without fields would read nothing, not even that it is there.
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

impl Startup {
    /// Whether it asks nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let on_port = [&self.http_get, &self.tcp_socket, &self.grpc];
        self.exec.is_none() && on_port.iter().all(|handler| handler.is_none())
    }
}

impl Probe {
    /// Whether it asks nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.handlers().iter().all(|handler| handler.is_none())
    }

    /// Seconds from one probe to the next.
    pub(crate) fn period(&self) -> i64 {
        given(self.period_seconds, 10)
    }

    /// Whether both ask the same in the same way, where `ports` are those of
    /// the container. `terminationGracePeriodSeconds` does not count: only a
    /// liveness probe can have it.
    pub(crate) fn is_same(&self, other: &Probe, ports: &[Port<'_>]) -> bool {
        let mut handlers = self.handlers().into_iter().zip(other.handlers());
        self.numbers() == other.numbers()
            && handlers.all(|(one, other)| {
                one.map(|handler| normal(handler, ports))
                    == other.map(|handler| normal(handler, ports))
            })
    }

    fn handlers(&self) -> [Option<&Value>; 4] {
        [&self.exec, &self.http_get, &self.tcp_socket, &self.grpc].map(Option::as_ref)
    }

    /// Delay, timeout, period, successes, failures (the defaults: Kubernetes
    /// API 1.36, `SetDefaults_Probe`).
    fn numbers(&self) -> [i64; 5] {
        [
            given(self.initial_delay_seconds, 0),
            given(self.timeout_seconds, 1),
            self.period(),
            given(self.success_threshold, 1),
            given(self.failure_threshold, 3),
        ]
    }
}

/// A number that is absent or 0 is its default.
fn given(number: Option<i64>, default: i64) -> i64 {
    number.filter(|number| *number != 0).unwrap_or(default)
}

/// A handler without what is absent by another name: what is empty, the
/// default path and scheme; and with numbers for its port's name.
fn normal<'v>(handler: &'v Value, ports: &[Port<'_>]) -> BTreeMap<&'v str, Value> {
    let members = handler.as_object().into_iter().flatten();
    let said = members.filter(|(name, value)| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => {
            let default = match name.as_str() {
                "path" => "/",
                "scheme" => "HTTP",
                _ => "",
            };
            !text.is_empty() && text != default
        }
        _ => true,
    });
    said.map(|(name, value)| match name.as_str() {
        "port" => ("port", resolve(value, ports)),
        name => (name, value.clone()),
    })
    .collect()
}

/// The number of a port that is given by its name, where it has one.
fn resolve(port: &Value, ports: &[Port<'_>]) -> Value {
    let named = port
        .as_str()
        .and_then(|name| ports.iter().find(|port| *port.name == *name))
        .and_then(Port::number);
    named.map_or_else(|| port.clone(), Value::from)
}
