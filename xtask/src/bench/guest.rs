//! Programs that read all they are shown, made in any number.

use std::borrow::Cow;

use anyhow::Result;
use serde_json::{Value, json};
use wasm_encoder::{ComponentSection, CustomSection};

/// Where the description stands in memory, and from where on is room.
const DESCRIPTION: usize = 1024;
const HEAP: usize = 65_536;

/// The component of a policy that sums up every byte of its projection, from
/// another start than any other, and has nothing to say.
pub(crate) fn component(number: usize, reads: &[&str]) -> Result<Vec<u8>> {
    let description = description(number, reads);
    let mut component = wat::parse_str(text(number, &description.to_string()))?;
    let section = CustomSection {
        name: portcullis_contract::DESCRIPTION_SECTION.into(),
        data: Cow::Owned(description.to_string().into_bytes()),
    };
    section.append_to_component(&mut component);
    Ok(component)
}

fn description(number: usize, reads: &[&str]) -> Value {
    json!({
        "interface": "0.1.0", "name": format!("bench-{number}"), "version": "1.0.0",
        "summary": "Sums up what it is shown.",
        "matches": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["configmaps"], "operations": ["CREATE", "UPDATE"]}]},
        "reads": reads, "codes": [], "settings": {},
    })
}

fn text(number: usize, description: &str) -> String {
    let (length, bytes) = (description.len(), escaped(description));
    let options = "(memory $memory) (realloc $realloc)";
    format!(
        r#"(component
  (core module $m
    (memory (export "memory") 16)
    (global $heap (mut i32) (i32.const {HEAP}))
    (data (i32.const {DESCRIPTION}) "{bytes}")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $heap)
      (global.set $heap (i32.add (global.get $heap) (i32.add (local.get 3) (i32.const 8)))))
    (func (export "describe") (result i32)
      (i32.store (i32.const 24) (i32.const {DESCRIPTION}))
      (i32.store (i32.const 28) (i32.const {length})) (i32.const 24))
    (func (export "init") (param i32 i32) (result i32)
      (i32.store8 (i32.const 32) (i32.const 0)) (i32.const 32))
    (func (export "evaluate") (param $at i32) (param $length i32) (result i32)
      (local $sum i32) (local $end i32)
      (local.set $sum (i32.const {number}))
      (local.set $end (i32.add (local.get $at) (local.get $length)))
      (block $done
        (loop $next
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $sum (i32.mul (i32.const 16777619)
            (i32.xor (local.get $sum) (i32.load8_u (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next)))
      (i32.store (i32.const 40) (local.get $sum))
      (i32.store (i32.const 24) (i32.const 0)) (i32.store (i32.const 28) (i32.const 0))
      (i32.const 24)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (alias core export $i "describe" (core func $core-describe))
  (alias core export $i "init" (core func $core-init))
  (alias core export $i "evaluate" (core func $core-evaluate))
  (func $describe (result string) (canon lift (core func $core-describe) {options}))
  (func $init (param "settings" string) (result (result (error string)))
    (canon lift (core func $core-init) {options}))
  (func $evaluate (param "request" string) (result string)
    (canon lift (core func $core-evaluate) {options}))
  (instance $guest (export "describe" (func $describe))
    (export "init" (func $init)) (export "evaluate" (func $evaluate)))
  (export "portcullis:policy/guest@0.1.0" (instance $guest)))"#
    )
}

/// As a string of WebAssembly text.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use portcullis::policy::Evaluate;
    use portcullis::policy::spec::Limits;
    use portcullis::wasm::{Engine, Loaded};
    use serde_json::Map;

    use super::*;

    #[test]
    fn a_component_loads_and_takes_the_largest_body() {
        let engine = Arc::new(Engine::new().expect("an engine"));
        let one = component(1, &["object.data"]).expect("a component");
        let two = component(2, &["object.data"]).expect("a component");
        assert_ne!(one, two);
        let loaded = Loaded::new(&engine, &one).expect("it loads");
        let program = loaded
            .program(&Map::new(), Limits::default())
            .expect("it starts");
        let deadline = Instant::now() + Duration::from_secs(5);
        let verdict = program.evaluate(&"x".repeat(250_000), deadline);
        assert!(verdict.expect("a verdict").is_empty());
    }
}
