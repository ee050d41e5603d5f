//! What a schema cannot say: the rules of `Resource::parse`, in CEL.
//!
//! Lists are bounded here and not in files: the API server reckons what a
//! rule may cost at most, and refuses one without bounds.

use serde_json::{Value, json};

const SPEC: &str = "/properties/spec";
const CONSTRAINTS: &str = "/properties/spec/properties/matchConstraints";
const OVERRIDE: &str = "/properties/spec/properties/overrides/items";

/// Where, which member of the schema, and its value.
pub(super) type Rule = (String, &'static str, Value);

/// Those of a WasmPolicy.
pub(super) fn rules() -> Vec<Rule> {
    let mut rules = program();
    rules.extend(actions(&format!("{SPEC}/properties/validationActions")));
    rules.extend(actions(&format!("{OVERRIDE}/properties/validationActions")));
    rules.extend(lists());
    rules.extend(constraints());
    for selector in [
        format!("{CONSTRAINTS}/properties/namespaceSelector"),
        format!("{CONSTRAINTS}/properties/objectSelector"),
        format!("{OVERRIDE}/properties/namespaceSelector"),
    ] {
        rules.extend(self::selector(&selector));
    }
    rules.extend(limits());
    rules.extend(status());
    rules
}

pub(super) fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

/// Only the first rule that is broken should speak: the second is about
/// programs that have no `file`.
fn program() -> Vec<Rule> {
    let file = rule(
        "!has(self.file)",
        "`file` is for files on disk: put the component into `binaryData` of a ConfigMap and name \
         it with `configMap`, or name a `builtin`",
    );
    let one = rule(
        "has(self.file) || has(self.builtin) != has(self.configMap)",
        "set exactly one of `builtin`, `configMap`",
    );
    let place = format!("{SPEC}/properties/program");
    let map = format!("{place}/properties/configMap/properties");
    vec![
        (
            place.clone(),
            "x-kubernetes-validations",
            json!([file, one]),
        ),
        (format!("{place}/properties/builtin"), "minLength", json!(1)),
        (format!("{map}/namespace"), "minLength", json!(1)),
        (format!("{map}/name"), "minLength", json!(1)),
        (format!("{map}/key"), "minLength", json!(1)),
    ]
}

fn actions(place: &str) -> Vec<Rule> {
    let both = rule(
        "!('Deny' in self && 'Warn' in self)",
        "has both `Deny` and `Warn`, which would show the same text twice: write one of them",
    );
    vec![
        (place.to_owned(), "minItems", json!(1)),
        (place.to_owned(), "maxItems", json!(2)),
        (place.to_owned(), "x-kubernetes-list-type", json!("set")),
        (place.to_owned(), "x-kubernetes-validations", json!([both])),
    ]
}

fn lists() -> Vec<Rule> {
    let codes = format!("{OVERRIDE}/properties/codes");
    vec![
        (
            format!("{SPEC}/properties/overrides"),
            "maxItems",
            json!(64),
        ),
        (codes, "maxItems", json!(256)),
        (format!("{SPEC}/properties/grants"), "maxItems", json!(16)),
    ]
}

fn constraints() -> Vec<Rule> {
    let resource = rule(
        "!self.matches('[A-Z]')",
        "resources are plural and lower case, as in `kubectl api-resources`: `pods`, \
         `deployments`, `pods/ephemeralcontainers`",
    );
    let required = format!("{CONSTRAINTS}/properties/resourceRules");
    let mut rules = vec![
        (required, "minItems", json!(1)),
        (CONSTRAINTS.to_owned(), "required", json!(["resourceRules"])),
    ];
    for list in ["resourceRules", "excludeResourceRules"] {
        let list = format!("{CONSTRAINTS}/properties/{list}");
        rules.push((list.clone(), "maxItems", json!(64)));
        for member in ["apiGroups", "apiVersions", "resources", "operations"] {
            let place = format!("{list}/items/properties/{member}");
            rules.push((place.clone(), "minItems", json!(1)));
            rules.push((place, "maxItems", json!(64)));
        }
        let resources = format!("{list}/items/properties/resources/items");
        rules.extend([
            (resources.clone(), "minLength", json!(1)),
            (resources.clone(), "maxLength", json!(253)),
            (resources, "x-kubernetes-validations", json!([resource])),
        ]);
    }
    rules
}

pub(super) fn selector(place: &str) -> Vec<Rule> {
    let some = rule(
        "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
        "`In` and `NotIn` need at least one value",
    );
    let none = rule(
        "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
        "`Exists` and `DoesNotExist` take no values",
    );
    let list = format!("{place}/properties/matchExpressions");
    let each = format!("{list}/items");
    vec![
        (list, "maxItems", json!(32)),
        (format!("{each}/properties/values"), "maxItems", json!(256)),
        (each, "x-kubernetes-validations", json!([some, none])),
    ]
}

fn limits() -> Vec<Rule> {
    let limits = format!("{SPEC}/properties/limits/properties");
    let mut rules = Vec::new();
    for (member, most) in [("deadlineMilliseconds", 10_000), ("memoryMebibytes", 64)] {
        let place = format!("{limits}/{member}");
        rules.push((place.clone(), "minimum", json!(1)));
        rules.push((place, "maximum", json!(most)));
    }
    rules
}

/// Conditions are told apart by their type, so that several can write them.
fn status() -> Vec<Rule> {
    let conditions = "/properties/status/properties/conditions".to_owned();
    vec![
        (conditions.clone(), "x-kubernetes-list-type", json!("map")),
        (conditions, "x-kubernetes-list-map-keys", json!(["type"])),
        // A record is replaced whole.
        (
            "/properties/status/properties/inForce".to_owned(),
            "x-kubernetes-map-type",
            json!("atomic"),
        ),
    ]
}
