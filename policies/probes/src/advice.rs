//! The words of a finding.

use portcullis_sdk::image::{self, Image};

use crate::probe::Port;
use crate::settings::Role;
use crate::{Code, Container};

/// A finding without its place.
pub(crate) struct Advice {
    pub(crate) code: Code,
    pub(crate) remedy: String,
    pub(crate) message: String,
}

/// Commands that ask a server whether it answers, by the last part of its
/// image's repository; each comes with the image and works without a password.
const CLIENTS: [(&[&str], &str); 5] = [
    (&["postgres", "postgresql"], "[pg_isready]"),
    (&["mysql"], "[mysqladmin, ping]"),
    (&["mariadb"], "[mariadb-admin, ping]"),
    (&["redis"], "[redis-cli, ping]"),
    (&["valkey"], "[valkey-cli, ping]"),
];

/// Ports on which no server speaks HTTP: ftp, ssh, smtp, dns, ldap, mqtt,
/// mysql, postgresql, amqp, redis, kafka, memcached, mongodb (IANA service
/// names and port numbers).
const NOT_HTTP: [i64; 13] = [
    21, 22, 25, 53, 389, 1883, 3306, 5432, 5672, 6379, 9092, 11211, 27017,
];

pub(crate) fn missing(role: Role, container: &Container<'_>) -> Advice {
    let handler = handler(container);
    let (code, remedy, message) = match role {
        Role::Readiness => (
            Code::ProbeReadinessMissing,
            format!("add `readinessProbe`, as in `readinessProbe: {{{handler}}}`"),
            "without a readiness probe the container gets traffic before it can answer",
        ),
        // Slower to give up than the readiness probe: the two are not the same.
        Role::Liveness => (
            Code::ProbeLivenessMissing,
            format!(
                "add `livenessProbe`, as in `livenessProbe: {{{handler}, failureThreshold: 6}}`"
            ),
            "without a liveness probe the container is not restarted when it hangs",
        ),
    };
    Advice {
        code,
        remedy,
        message: message.into(),
    }
}

pub(crate) fn empty(member: &str, container: &Container<'_>) -> Advice {
    let handler = handler(container);
    Advice {
        code: Code::ProbeEmpty,
        remedy: format!("say what to ask, as in `{member}: {{{handler}}}`"),
        message: format!(
            "`{member}` has none of `exec`, `httpGet`, `tcpSocket` and `grpc`, and asks nothing"
        ),
    }
}

pub(crate) fn identical() -> Advice {
    Advice {
        code: Code::ProbesIdentical,
        remedy: "raise `failureThreshold` of `livenessProbe`, as in `failureThreshold: 6`, \
                 or let it ask something cheaper"
            .into(),
        message: "liveness and readiness are the same probe: a slow answer restarts the \
                  container instead of taking it out of rotation"
            .into(),
    }
}

pub(crate) fn period(member: &str, seconds: i64, least: i32) -> Advice {
    let unit = |number: i64| if number == 1 { "second" } else { "seconds" };
    Advice {
        code: Code::ProbePeriod,
        remedy: format!("write `periodSeconds: {least}` or more"),
        message: format!(
            "`{member}` asks every {seconds} {}, and {least} {} are the least",
            unit(seconds),
            unit(least.into())
        ),
    }
}

/// What a probe of this container may ask: its image's own client, an HTTP
/// path or a connection on its port, or a file.
fn handler(container: &Container<'_>) -> String {
    if let Some(command) = client(&container.image) {
        return format!("exec: {{command: {command}}}");
    }
    match port(&container.ports) {
        Some((port, number)) if NOT_HTTP.contains(&number) => {
            format!("tcpSocket: {{port: {port}}}")
        }
        Some((port, _)) => format!("httpGet: {{path: /healthz, port: {port}}}"),
        None => "exec: {command: [cat, /tmp/healthy]}".into(),
    }
}

fn client(image: &str) -> Option<&'static str> {
    let Image::Whole(image) = image::read(image) else {
        return None;
    };
    let last = image.components().last()?;
    let of_image = CLIENTS.iter().find(|(names, _)| names.contains(&last));
    of_image.map(|(_, command)| *command)
}

/// The first port with a name, else the first, as a probe names it, and its
/// number; UDP and SCTP answer no probe.
fn port(ports: &[Port<'_>]) -> Option<(String, i64)> {
    let tcp = || {
        let is_tcp = |port: &&Port<'_>| matches!(&*port.protocol, "" | "TCP");
        let numbered = |port| Some((port, Port::number(port)?));
        ports.iter().filter(is_tcp).filter_map(numbered)
    };
    let named = tcp().find(|(port, _)| is_name(&port.name));
    let named = named.map(|(port, number)| (port.name.to_string(), number));
    named.or_else(|| tcp().next().map(|(_, number)| (number.to_string(), number)))
}

/// Whether the API server takes this as the name of a port (RFC 6335): what
/// is none is not repeated in a remedy.
fn is_name(name: &str) -> bool {
    let is_sign = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=15).contains(&name.len())
        && name.bytes().all(is_sign)
        && name.bytes().any(|b| b.is_ascii_lowercase())
}
