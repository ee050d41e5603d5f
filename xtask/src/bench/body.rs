//! What is sent: recorded reviews, made to have nothing that a policy finds.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::shell::root;

/// Stands where requests differ: in the name, the uid and a label.
const NUMBER: &str = "0123456789ab";

/// A body in which numbers can be written.
#[derive(Clone)]
pub(crate) struct Template {
    body: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    /// Finds the places.
    pub(crate) fn new(body: Vec<u8>) -> Result<Template> {
        let places: Vec<usize> = body
            .windows(NUMBER.len())
            .enumerate()
            .filter(|(_, part)| *part == NUMBER.as_bytes())
            .map(|(at, _)| at)
            .collect();
        ensure!(places.len() >= 4, "the body has no places for numbers");
        Ok(Template { body, places })
    }

    /// The body of request `number`.
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        let text = format!("{number:0width$x}", width = NUMBER.len());
        for at in &self.places {
            self.body[*at..*at + NUMBER.len()].copy_from_slice(text.as_bytes());
        }
        &self.body
    }
}

/// What is sent in one row of the table.
pub(crate) struct Payload {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// The review.
    pub(crate) review: Value,
}

impl Payload {
    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.review.to_string().into_bytes()
    }
}

/// A Pod of 4.7 KB, as it is created.
pub(crate) fn pod() -> Result<Payload> {
    let mut review = recorded("pod-create-bare")?;
    tidy(&mut review, "object", "/spec");
    let container = &mut review["request"]["object"]["spec"]["containers"][0];
    container["env"] = (0..19)
        .map(|index| json!({"name": format!("SETTING_{index}"), "value": format!("value-{index}")}))
        .collect();
    Ok(Payload {
        name: "Pod",
        review,
    })
}

/// A Deployment of 11 KB, as it is updated.
pub(crate) fn deployment() -> Result<Payload> {
    let mut review = recorded("deployment-update-apply")?;
    for member in ["object", "oldObject"] {
        tidy(&mut review, member, "/spec/template/spec");
    }
    let old = &mut review["request"]["oldObject"]["spec"]["template"]["spec"];
    old["containers"][0]["image"] = "registry.example.com/shop/web:1.27.2".into();
    Ok(Payload {
        name: "Deployment update",
        review,
    })
}

/// A ConfigMap of 200 KB, as it is created.
pub(crate) fn config_map() -> Result<Payload> {
    let mut review = recorded("configmap-create-apply")?;
    number(&mut review, "object");
    let metadata = &mut review["request"]["object"]["metadata"];
    metadata["annotations"] = json!({});
    let line = "listen 8080; # where \"everybody\" expects it\n\tserver_name shop.example.com;\n";
    let data = (0..40).map(|index| (format!("file-{index}.conf"), json!(line.repeat(62))));
    review["request"]["object"]["data"] = Value::Object(data.collect());
    Ok(Payload {
        name: "ConfigMap",
        review,
    })
}

fn recorded(name: &str) -> Result<Value> {
    let path = root().join(format!("tests/data/reviews/{name}.json"));
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

/// Gives every container what the pack's policies want of it.
fn tidy(review: &mut Value, member: &str, spec: &str) {
    number(review, member);
    let containers = review["request"][member]
        .pointer_mut(spec)
        .and_then(|spec| spec["containers"].as_array_mut());
    for container in containers.into_iter().flatten() {
        container["image"] = "registry.example.com/shop/web:1.27.3".into();
        container["resources"] = json!({
            "requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}});
        container["readinessProbe"] = probe("/ready");
        container["livenessProbe"] = probe("/live");
    }
}

fn probe(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, "periodSeconds": 20,
        "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
}

/// Puts places for numbers where objects of one template differ.
fn number(review: &mut Value, member: &str) {
    let request = &mut review["request"];
    request["uid"] = format!("82067a65-ea4a-4470-9c0b-{NUMBER}").into();
    request["name"] = format!("web-{NUMBER}").into();
    let metadata = &mut request[member]["metadata"];
    metadata["name"] = format!("web-{NUMBER}").into();
    metadata["uid"] = format!("2fee716a-88ef-497e-8680-{NUMBER}").into();
    metadata["labels"]["pod-template-hash"] = NUMBER.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_the_sizes_that_the_table_is_about() {
        for (payload, least, most) in [
            (pod(), 4_600, 4_800),
            (deployment(), 10_500, 11_500),
            (config_map(), 195_000, 205_000),
        ] {
            let payload = payload.expect("a payload");
            let size = payload.bytes().len();
            assert!((least..=most).contains(&size), "{}: {size}", payload.name);
        }
    }

    #[test]
    fn requests_differ_in_name_uid_and_label() {
        let bytes = pod().expect("a payload").bytes();
        let mut template = Template::new(bytes).expect("places");
        let mut request = |number| -> Value {
            let body: Value = serde_json::from_slice(template.numbered(number)).expect("JSON");
            body["request"].clone()
        };
        let (one, two) = (request(1), request(0xabc));
        for at in [
            "/uid",
            "/name",
            "/object/metadata/name",
            "/object/metadata/uid",
            "/object/metadata/labels/pod-template-hash",
        ] {
            assert!(one.pointer(at).is_some(), "{at}");
            assert_ne!(one.pointer(at), two.pointer(at), "{at}");
        }
    }

    #[test]
    fn a_body_without_places_is_refused() {
        assert!(Template::new(b"{}".to_vec()).is_err());
    }
}
