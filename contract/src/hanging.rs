//! Findings that hang on other objects: the policy says on which, and the host
//! looks. The policy stays pure, and learns nothing of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::{MAX_CONDITIONS, MAX_EFFECT_BYTES};
use crate::{Finding, Unless};

/// A finding of what is there: it counts in files and in audits, and not at
/// admission, where the rest of the same `kubectl apply` comes later.
///
/// It counts where one of `among` is there, if it names any, and none of
/// `unless`. What Portcullis itself made counts like any other object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lack {
    /// What is found then.
    pub finding: Finding,
    /// Objects of which one has to be there. Empty: none has to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<Unless>,
    /// Objects of which none may be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Unless>,
    /// The object that would mend it; the host puts it into the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
}

/// A finding that counts where a NetworkPolicy for the namespace of the request
/// would keep the API server from what it calls there: webhooks, APIServices and
/// conversions of CustomResourceDefinitions. The host names them after the
/// message. Without a cluster nobody knows, and it does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CutOff {
    /// What is found then.
    pub finding: Finding,
    /// The NetworkPolicy, of `networking.k8s.io/v1`.
    pub policy: Value,
}

/// Why such findings of a verdict cannot be looked into, one line without
/// values.
///
/// # Errors
///
/// Too many conditions, or too large an object.
pub fn check(lacking: &[Lack], cut_off: &[CutOff]) -> Result<(), String> {
    let conditions =
        |all: &[Unless]| -> usize { all.iter().map(|one| one.holds.len().max(1)).sum() };
    let counts = lacking
        .iter()
        .map(|lack| 1 + conditions(&lack.among) + conditions(&lack.unless));
    if counts.sum::<usize>() + cut_off.len() > MAX_CONDITIONS {
        return Err(format!(
            "its findings hang on more than {MAX_CONDITIONS} conditions"
        ));
    }
    let objects = lacking.iter().filter_map(|lack| lack.object.as_ref());
    let objects = objects.chain(cut_off.iter().map(|one| &one.policy));
    for object in objects {
        let bytes = object.to_string().len();
        let metadata = object.get("metadata").unwrap_or(&Value::Null);
        let is_one = object.is_object() && (metadata.is_null() || metadata.is_object());
        if bytes > MAX_EFFECT_BYTES || !is_one {
            return Err(format!(
                "an object that a finding hangs on is none, or has {bytes} bytes; at most \
                 {MAX_EFFECT_BYTES} are read"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lack(conditions: usize, object: Option<Value>) -> Lack {
        let holds = vec![json!({"path": "/spec", "is": "present"}); conditions];
        let unless = json!([{"apiVersion": "a/v1", "resource": "things", "holds": holds}]);
        let lack = json!({"finding": {"code": "c", "message": "m", "remedy": "r", "path": ""},
            "unless": unless, "object": object});
        serde_json::from_value(lack).expect("a lack")
    }

    #[test]
    fn what_findings_hang_on_is_bounded() {
        assert_eq!(check(&[lack(60, Some(json!({})))], &[]), Ok(()));
        assert!(check(&[lack(80, None), lack(80, None)], &[]).is_err());
        let large = json!({"a": "x".repeat(MAX_EFFECT_BYTES)});
        assert!(check(&[lack(1, Some(large))], &[]).is_err());
        assert!(check(&[lack(1, Some(json!("a")))], &[]).is_err());
    }
}
