//! Guests as component text: a template with holes for what misbehaves.

use serde_json::{Value, json};
use wasm_encoder::{ComponentSection, CustomSection};

/// Two bytes that are no UTF-8 stand here.
pub(crate) const NOT_UTF8: i32 = 48;

/// Where the texts of the template stand in memory.
const DESCRIPTION: i32 = 1024;
const ANSWER: i32 = 128 * 1024;

/// A guest. Each body is core WebAssembly text.
pub(crate) struct Guest {
    /// What `describe` answers.
    pub(crate) description: Value,
    /// What the custom section says; None for the description itself.
    pub(crate) embedded: Option<Option<Value>>,
    /// What [`answer`] answers.
    pub(crate) answer: String,
    pub(crate) describe: Option<String>,
    pub(crate) init: Option<String>,
    pub(crate) evaluate: String,
    pub(crate) start: String,
    pub(crate) realloc: Option<String>,
    /// What is called once the answer was read.
    pub(crate) post_return: Option<String>,
    /// More fields of the core module.
    pub(crate) module: String,
    /// Component text besides the guest proper.
    pub(crate) beside: String,
    /// Pages of memory at the start.
    pub(crate) pages: u32,
    /// Whether it imports a clock.
    pub(crate) import: bool,
    pub(crate) interface: String,
}

impl Default for Guest {
    /// A guest that has nothing to say.
    fn default() -> Self {
        Guest {
            description: json!({
                "interface": "0.1.0", "name": "guest", "version": "1.0.0", "summary": "s",
                "matches": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"],
                    "resources": ["*"], "operations": ["*"]}]},
                "reads": ["operation"], "codes": [{"code": "c", "level": "error", "meaning": "m"}],
                "settings": {},
            }),
            embedded: None,
            answer: String::new(),
            describe: None,
            init: None,
            evaluate: answer(),
            start: String::new(),
            realloc: None,
            post_return: None,
            module: String::new(),
            beside: String::new(),
            pages: 4,
            import: false,
            interface: "portcullis:policy/guest@0.1.0".into(),
        }
    }
}

/// The body that answers with the text at [`Guest::answer`].
pub(crate) fn answer() -> String {
    "(i32.store (i32.const 24) (i32.const ANSWER)) (i32.store (i32.const 28) (i32.const LENGTH))
     (i32.const 24)"
        .into()
}

/// The body that answers with whatever stands there.
pub(crate) fn raw_answer(at: i32, length: i32) -> String {
    format!(
        "(i32.store (i32.const 24) (i32.const {at})) (i32.store (i32.const 28) (i32.const {length}))
         (i32.const 24)"
    )
}

impl Guest {
    /// The same with another description.
    pub(crate) fn described(mut self, change: impl Fn(&mut Value)) -> Guest {
        change(&mut self.description);
        self
    }

    /// The component, with its description embedded.
    pub(crate) fn component(&self) -> Vec<u8> {
        let text = self.text();
        let mut component = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let embedded = self
            .embedded
            .clone()
            .unwrap_or(Some(self.description.clone()));
        if let Some(embedded) = embedded {
            let data = embedded.to_string().into_bytes();
            let section = CustomSection {
                name: "portcullis:description".into(),
                data: data.into(),
            };
            section.append_to_component(&mut component);
        }
        component
    }

    fn text(&self) -> String {
        let lift = "(memory $memory) (realloc $realloc)";
        let post = match self.post_return {
            None => "",
            Some(_) => "(post-return $core-post)",
        };
        let import = "(import \"wasi:clocks/wall-clock@0.2.0\" (instance))";
        format!(
            "(component
              {import}
              {beside}
              (core module $m {module})
              (core instance $i (instantiate $m))
              (alias core export $i \"memory\" (core memory $memory))
              (alias core export $i \"realloc\" (core func $realloc))
              (alias core export $i \"describe\" (core func $core-describe))
              (alias core export $i \"init\" (core func $core-init))
              (alias core export $i \"evaluate\" (core func $core-evaluate))
              (alias core export $i \"post\" (core func $core-post))
              (func $describe (result string) (canon lift (core func $core-describe) {lift}))
              (func $init (param \"settings\" string) (result (result (error string)))
                (canon lift (core func $core-init) {lift}))
              (func $evaluate (param \"request\" string) (result string)
                (canon lift (core func $core-evaluate) {lift} {post}))
              (instance $guest (export \"describe\" (func $describe))
                (export \"init\" (func $init)) (export \"evaluate\" (func $evaluate)))
              (export \"{interface}\" (instance $guest)))",
            import = if self.import { import } else { "" },
            beside = self.beside,
            module = self.module(),
            interface = self.interface,
        )
    }

    fn module(&self) -> String {
        let description = self.description.to_string();
        let describe = raw_answer(DESCRIPTION, length(&description));
        let init = "(i32.store8 (i32.const 32) (i32.const 0)) (i32.const 32)";
        let realloc = "(global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (i32.add (local.get 3) (i32.const 8))))";
        let evaluate = self.evaluate.replace("ANSWER", &ANSWER.to_string());
        format!(
            "(memory (export \"memory\") {pages})
             (global $heap (mut i32) (i32.const 65536))
             (global $count (mut i32) (i32.const 0))
             (data (i32.const {NOT_UTF8}) \"\\ff\\fe\")
             (data (i32.const {DESCRIPTION}) \"{description}\")
             (data (i32.const {ANSWER}) \"{answer}\")
             (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) {realloc})
             (func (export \"post\") (param i32) {post})
             (func $describe (export \"describe\") (result i32) {describe})
             (func $init (export \"init\") (param i32 i32) (result i32) {init})
             (func $evaluate (export \"evaluate\") (param i32 i32) (result i32) {evaluate})
             (func $start {start})
             (start $start)
             {more}",
            pages = self.pages,
            description = escaped(&description),
            answer = escaped(&self.answer),
            describe = self.describe.as_deref().unwrap_or(&describe),
            init = self.init.as_deref().unwrap_or(init),
            evaluate = evaluate.replace("LENGTH", &length(&self.answer).to_string()),
            start = self.start,
            more = self.module,
            realloc = self.realloc.as_deref().unwrap_or(realloc),
            post = self.post_return.as_deref().unwrap_or_default(),
        )
    }
}

fn length(text: &str) -> i32 {
    i32::try_from(text.len()).expect("a short text")
}

/// As a string of WebAssembly text.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}
