//! The pods that are created.

use serde_json::{Value, json};

/// Stands where pods differ.
const NUMBER: &str = "NUMBER";

/// A manifest in which names can be written.
pub(super) struct Manifest(String);

impl Manifest {
    /// With which policies find nothing, so that all of them look at all of
    /// it.
    pub(super) fn careful() -> Manifest {
        let mut pod = pod("registry.example.com/shop/web:1.27.3");
        let container = &mut pod["spec"]["containers"][0];
        container["resources"] = json!({
            "requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}});
        container["readinessProbe"] = probe("/ready");
        container["livenessProbe"] = probe("/live");
        container["env"] = (0..19)
            .map(|index| {
                json!({"name": format!("SETTING_{index}"), "value": format!("value-{index}")})
            })
            .collect();
        Manifest(pod.to_string())
    }

    /// Of which everything is to be warned of that `starter` warns of.
    pub(super) fn careless() -> Manifest {
        Manifest(pod("registry.example.com/shop/web:1").to_string())
    }

    /// That is to be refused.
    pub(super) fn refused() -> Manifest {
        Manifest(pod("registry.example.com/shop/web:latest").to_string())
    }

    /// The pod of this number.
    pub(super) fn numbered(&self, number: u64) -> Vec<u8> {
        self.0.replace(NUMBER, &format!("{number:x}")).into_bytes()
    }
}

/// No scheduler is of that name: the pod stays as it was created.
fn pod(image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{NUMBER}"), "labels": {"app": "web"}},
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "web", "image": image, "ports": [{"containerPort": 8080}]}],
        },
    })
}

fn probe(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 20})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_differ_in_name() {
        let manifest = Manifest::careful();
        let name = |number| {
            let pod: Value = serde_json::from_slice(&manifest.numbered(number)).expect("JSON");
            pod["metadata"]["name"].clone()
        };
        assert_eq!([name(1), name(0xabc)], ["web-1", "web-abc"]);
    }
}
