//! Random histories of requests: whatever is sent, no value is stored, what is
//! stored stands for what was sent, and asking again changes nothing.

use proptest::prelude::*;

use super::*;
use crate::Sensitive;

/// What a client sends for a key.
#[derive(Debug, Clone)]
enum Sent {
    Nothing,
    Value(Vec<u8>),
    /// What the ConfigMap holds.
    Same,
    /// What the ConfigMap holds under another key.
    Copied(usize),
}

const KEYS: [(&str, names::Half); 4] = [
    ("a", names::Half::Text),
    ("b/~1", names::Half::Text),
    ("c", names::Half::Binary),
    ("plain", names::Half::Text),
];

fn field(index: usize) -> Field {
    let (key, half) = KEYS[index];
    let key = key.to_owned();
    Field { half, key }
}

/// Values are told from each other and from all else in the object.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof!["\\PC{0,4}", Just("\"\\<&>\n".to_owned())];
    (0..3u8, odd).prop_map(|(number, odd)| format!("canary-{number}{odd}-canary").into_bytes())
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        Just(Sent::Nothing),
        value().prop_map(Sent::Value),
        Just(Sent::Same),
        (0..3usize).prop_map(Sent::Copied),
    ]
}

/// Text of what a key is sent as.
fn written(old: &Value, index: usize, sent: &Sent) -> Option<Value> {
    let field = field(index);
    let held = |field: &Field| old[field.half.member()].get(&field.key).cloned();
    match sent {
        Sent::Nothing => None,
        // What is not secret has no canary in it.
        Sent::Value(value) if index == 3 => Some(format!("plain-{}", value.len()).into()),
        Sent::Value(value) => Some(crate::config_map::written(field.half, value).into()),
        Sent::Same => held(&field),
        Sent::Copied(other) => {
            let other = self::field(*other);
            held(&other).filter(|_| other.half == field.half)
        }
    }
}

/// What keys are meant to hold, by staged Secrets.
type Staged = BTreeMap<String, BTreeMap<String, Sensitive>>;

fn no_canary(object: &Value) -> bool {
    let binary = object["binaryData"].as_object().into_iter().flatten();
    let decoded = binary.filter_map(|(_, text)| {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(text.as_str()?).ok()
    });
    let mut decoded = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    !object.to_string().contains("canary") && !decoded.any(|text| text.contains("canary"))
}

/// Whether the key resolves to this value.
fn stands_for(object: &Value, staged: &Staged, field: &Field, value: &[u8]) -> bool {
    let secret = placeholder(object, field).secret;
    staged[&secret][&field.key].expose() == value
}

proptest! {
    #[test]
    fn nothing_is_stored_in_the_clear_and_all_stands_for_what_was_sent(
        history in prop::collection::vec((prop::array::uniform4(sent()), any::<bool>()), 1..6)
    ) {
        let mut stored: Option<Value> = None;
        let mut staged = Staged::new();
        let mut meant: BTreeMap<Field, Vec<u8>> = BTreeMap::new();
        for (step, (keys, dry_run)) in history.into_iter().enumerate() {
            let old = stored.clone().unwrap_or(Value::Null);
            let mut object = config_map(json!({}));
            for (index, sent) in keys.iter().enumerate() {
                if let Some(text) = written(&old, index, sent) {
                    let field = field(index);
                    object[field.half.member()][&field.key] = text;
                }
            }
            let applied = object.to_string();
            object["metadata"]["annotations"] = json!({LAST_APPLIED: applied});
            let mut request = match &stored {
                Some(old) => update(old, object),
                None => create(object),
            };
            request.dry_run = dry_run;
            request.staged = names::staged(step as u64 + 1);
            request.now = NOW + 3600 * u32::try_from(step).unwrap();
            request.secret = (0..3).map(field).collect();
            let plan = request.planned();
            let told = format!("{plan:?}");
            prop_assert!(!told.contains("canary"));
            let (mut object, secret) = match plan.outcome {
                Outcome::Deny(denial) => {
                    // Nothing but copies under another key is refused here.
                    prop_assert_eq!(denial.code, Code::ForgedPlaceholder);
                    let copied = keys.iter().any(|sent| matches!(sent, Sent::Copied(_)));
                    prop_assert!(copied);
                    continue;
                }
                Outcome::Admit { .. } => (request.object.clone(), None),
                Outcome::Move(moved) => (patched(&request.object, &moved.patch), moved.staged),
            };
            prop_assert!(no_canary(&object), "{}", object);
            prop_assert_eq!(request.verified(&object), Ok(()));
            request.object = object.clone();
            request.allowed = None;
            request.admitted();
            prop_assert!(!(dry_run && secret.is_some()));
            if dry_run {
                continue;
            }
            staged.extend(secret.map(|secret| (secret.metadata.name, secret.data)));
            for (index, sent) in keys.iter().enumerate().take(3) {
                let field = field(index);
                match (sent, object[field.half.member()].get(&field.key)) {
                    (_, None) => drop(meant.remove(&field)),
                    (Sent::Value(value), _) => drop(meant.insert(field, value.clone())),
                    _ => {}
                }
            }
            object["metadata"]["resourceVersion"] = format!("{step}").into();
            for (field, value) in &meant {
                prop_assert!(stands_for(&object, &staged, field, value), "{}", field);
            }
            stored = Some(object);
        }
    }

    #[test]
    fn a_placeholder_is_read_as_it_is_written(bytes in any::<Vec<u8>>(), text in "moved-secret:v1:\\PC{0,200}") {
        use crate::placeholder::{Told, read};
        for value in [bytes, text.into_bytes()] {
            if let Told::Placeholder(placeholder) = read(&value) {
                prop_assert_eq!(placeholder.to_string().into_bytes(), value);
            }
        }
        let told = placeholder(&relocated(), &Field::text("password"));
        prop_assert_eq!(read(told.to_string().as_bytes()), Told::Placeholder(told));
    }
}
