//! Compiled code: embedded, kept on disk, or made; and the state that
//! evaluations start from.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::policy::Evaluate;
use portcullis::policy::spec::Limits;
use portcullis::wasm::cache::{Cache, Error};
use portcullis::wasm::{Engine, Loaded, Program, Start};
use serde_json::{Map, Value, json};

use crate::guests::text::{Guest, answer};
use crate::support::{Scratch, root};

fn engine(cache: &Path) -> Arc<Engine> {
    let cache = Cache::open(cache).expect("a cache");
    Arc::new(
        Engine::new()
            .expect("an engine")
            .with_code(&[], Some(cache)),
    )
}

fn program(engine: &Arc<Engine>, bytes: &[u8], settings: Value) -> Program {
    let Value::Object(settings) = settings else {
        panic!("settings are a map")
    };
    let loaded = Loaded::new(engine, bytes).expect("a policy");
    loaded
        .program(&settings, Limits::default())
        .expect("it loads")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "code"));
    files.sort();
    files
}

/// Which file it is, whatever its name.
fn identity(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").ino()
}

/// `init` traps when it runs a second time in one memory; `evaluate` traps
/// unless it ran.
fn initialised(beside: &str) -> Guest {
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))";
    Guest {
        init: Some(format!(
            "{count} (if (i32.ne (global.get $count) (i32.const 1)) (then unreachable))
             (i32.store (i32.const 200) (i32.const 7))
             (i32.store8 (i32.const 32) (i32.const 0)) (i32.const 32)"
        )),
        evaluate: format!(
            "(if (i32.ne (i32.add (global.get $count) (i32.load (i32.const 200))) (i32.const 8))
                (then unreachable)) {}",
            answer()
        ),
        beside: beside.into(),
        ..Guest::default()
    }
}

#[test]
fn evaluations_start_from_the_state_after_init() {
    let engine = Arc::new(Engine::new().expect("an engine"));
    // Wizer takes no component with another one in it.
    let nested = "(component (core module))";
    for (guest, start) in [
        (initialised(""), Start::Snapshot),
        (initialised(nested), Start::Init),
    ] {
        let bytes = guest.component();
        let loaded = Loaded::new(&engine, &bytes).expect("a policy");
        let obstacle = loaded
            .snapshot_obstacle(&Map::new(), Limits::default())
            .expect("it starts");
        assert_eq!(obstacle.is_none(), start == Start::Snapshot, "{obstacle:?}");
        let program = program(&engine, &bytes, json!({}));
        assert_eq!(program.start(), start);
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_secs(5);
            program.evaluate("{}", deadline).expect("a verdict");
        }
    }
}

#[test]
fn code_is_compiled_once_for_each_component_and_settings() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("cache");
    let (one, other) = (initialised("").component(), Guest::default().component());
    program(&engine(&folder), &one, json!({}));
    let first = entries(&folder);
    assert_eq!(first.len(), 1);
    let before = identity(&first[0]);
    let again = program(&engine(&folder), &one, json!({}));
    assert_eq!(again.start(), Start::Snapshot);
    assert_eq!(entries(&folder), first);
    assert_eq!(identity(&first[0]), before, "it was not written again");
    program(&engine(&folder), &one, json!({"a": 1}));
    program(&engine(&folder), &other, json!({}));
    assert_eq!(entries(&folder).len(), 3);
}

#[test]
fn an_entry_that_is_not_authentic_is_made_anew() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("cache");
    let bytes = Guest::default().component();
    program(&engine(&folder), &bytes, json!({}));
    let entry = entries(&folder).remove(0);
    let good = fs::read(&entry).expect("an entry");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let elsewhere = scratch.path().join("elsewhere");
    program(&engine(&elsewhere), &bytes, json!({}));
    let foreign = fs::read(entries(&elsewhere).remove(0)).expect("an entry");
    program(&engine(&folder), &bytes, json!({"other": true}));
    let renamed = entries(&folder).into_iter().find(|path| *path != entry);
    let renamed = fs::read(renamed.expect("a second entry")).expect("an entry");
    for (about, content) in [
        ("flipped", flipped),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("empty", vec![]),
        ("of another key", foreign),
        ("of another name", renamed),
    ] {
        fs::write(&entry, &content).expect("written");
        program(&engine(&folder), &bytes, json!({}));
        assert!(fs::read(&entry).expect("an entry") != content, "{about}");
        let made = identity(&entry);
        program(&engine(&folder), &bytes, json!({}));
        assert_eq!(identity(&entry), made, "{about}: what was made is taken");
    }
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path().join("cache");
    Cache::open(&folder).expect("a new one");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).expect("changed");
    let error = Cache::open(&folder).map(|_| ()).expect_err("refused");
    assert!(matches!(error, Error::Shared(_)), "{error}");
    assert!(error.to_string().contains("chmod 700"), "{error}");
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).expect("a link");
    assert!(
        Cache::open(&link).is_err(),
        "a link can be turned elsewhere"
    );
}

#[test]
fn built_in_policies_are_compiled_ahead_with_the_settings_of_the_profiles() {
    let folder = root().join("target/policies");
    let embedded: Vec<&'static [u8]> = entries(&folder)
        .iter()
        .map(|path| &*fs::read(path).expect("code").leak())
        .collect();
    let scratch = Scratch::new();
    let cache = scratch.path().join("cache");
    let engine = Engine::new().expect("an engine");
    let opened = Cache::open(&cache).expect("a cache");
    let engine = Arc::new(engine.with_code(embedded.leak(), Some(opened)));
    let mut count = 0;
    for profile in ["observe", "starter", "strict"] {
        let folder = root().join("pack").join(profile);
        let within = |folder: &Path| fs::read_dir(folder).expect("a folder");
        let documents = within(&folder).chain(within(&folder.join("effects")));
        let documents = documents.map(|document| document.expect("a file").path());
        for document in documents.filter(|path| path.is_file()) {
            let text = fs::read(document).expect("a document");
            let stream = portcullis_manifest::read(&text);
            let policy = &stream.objects[0].value;
            let name = policy["spec"]["program"]["builtin"]
                .as_str()
                .expect("a name");
            let bytes = root().join(format!("target/policies/{name}.wasm"));
            let settings = policy["spec"].get("settings").cloned();
            let bytes = fs::read(bytes).expect("a program");
            program(&engine, &bytes, settings.unwrap_or(json!({})));
            count += 1;
        }
    }
    assert!(count > 0);
    // Whatever had been compiled here would have been kept.
    assert_eq!(entries(&cache), Vec::<PathBuf>::new());
}
