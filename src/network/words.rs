//! Selectors, peers and ports, as people say them.

use serde_json::Value;

/// A label selector; None where it selects all.
pub(super) fn selector(selector: &Value) -> Option<String> {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let expressions = expressions.map(expression);
    let all: Vec<String> = labels.chain(expressions).collect();
    (!all.is_empty()).then(|| all.join(","))
}

fn expression(expression: &Value) -> String {
    let key = expression["key"].as_str().unwrap_or_default();
    let values = expression["values"].as_array().into_iter().flatten();
    let values: Vec<&str> = values.filter_map(Value::as_str).collect();
    let values = values.join(" ");
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        other => format!("{key} {other} ({values})"),
    }
}

/// Who a rule is about; no peers are everybody.
pub(super) fn peers(peers: &Value) -> String {
    let peers = peers.as_array().map_or(&[][..], |all| all);
    match peers {
        [] => "everybody".to_owned(),
        peers => peers.iter().map(peer).collect::<Vec<_>>().join("; "),
    }
}

fn peer(peer: &Value) -> String {
    if let Some(cidr) = peer["ipBlock"]["cidr"].as_str() {
        let but = peer["ipBlock"]["except"].as_array().into_iter().flatten();
        let but: Vec<&str> = but.filter_map(Value::as_str).collect();
        return match but.is_empty() {
            true => cidr.to_owned(),
            false => format!("{cidr} but {}", but.join(" ")),
        };
    }
    let namespaces = match &peer["namespaceSelector"] {
        Value::Null => "this namespace".to_owned(),
        of => selector(of).map_or("all namespaces".to_owned(), |of| {
            format!("namespaces with {of}")
        }),
    };
    match selector(&peer["podSelector"]) {
        None => namespaces,
        Some(pods) => format!("pods with {pods}, of {namespaces}"),
    }
}

/// On which ports; none are all.
pub(super) fn ports(ports: &Value) -> String {
    let ports = ports.as_array().map_or(&[][..], |all| all);
    match ports {
        [] => "all".to_owned(),
        ports => ports.iter().map(port).collect::<Vec<_>>().join(", "),
    }
}

fn port(port: &Value) -> String {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    let number = match &port["port"] {
        Value::Null => return format!("{protocol} all"),
        Value::String(name) => name.clone(),
        number => number.to_string(),
    };
    match &port["endPort"] {
        Value::Null => format!("{protocol} {number}"),
        end => format!("{protocol} {number}-{end}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn peers_are_said_in_words() {
        for (one, expected) in [
            (json!({"podSelector": {}}), "this namespace"),
            (json!({"namespaceSelector": {}}), "all namespaces"),
            (
                json!({"namespaceSelector": {"matchExpressions":
                    [{"key": "a", "operator": "In", "values": ["b", "c"]},
                     {"key": "d", "operator": "DoesNotExist"}]}}),
                "namespaces with a in (b c),!d",
            ),
            (
                json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}),
                "10.0.0.0/8 but 10.1.0.0/16",
            ),
        ] {
            assert_eq!(peers(&json!([one])), expected);
        }
        assert_eq!(peers(&Value::Null), "everybody");
    }

    #[test]
    fn ports_are_said_in_words() {
        let all = json!([{"protocol": "UDP", "port": 53}, {"port": "http"},
            {"protocol": "TCP", "port": 1, "endPort": 9}, {"protocol": "SCTP"}]);
        assert_eq!(ports(&all), "UDP 53, TCP http, TCP 1-9, SCTP all");
        assert_eq!(ports(&Value::Null), "all");
    }
}
