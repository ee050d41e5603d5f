//! A pod gets the same before and after: random pods, in all forms, against the
//! model of the kubelet.
//!
//! `PORTCULLIS_SEED` repeats a run; `PORTCULLIS_FULL=1` makes it 10,000 cases.
#![allow(clippy::unwrap_used, reason = "tests")]

/// Random pods.
#[path = "pods/cases.rs"]
mod cases;
/// Which forms there are.
#[path = "pods/forms.rs"]
mod forms;
/// What an apply of the original manifest sends.
#[path = "pods/merges.rs"]
mod merges;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use cases::{Case, Map};
use portcullis_relocation::kubelet::{Given, World, resolve};
use portcullis_relocation::pod::{self, Maps, Refusal, rewrite, unrewritten};
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};

type Outcome = Result<(), TestCaseError>;

/// `PORTCULLIS_SEED`, or one of the moment.
fn seed() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    if let Ok(seed) = std::env::var("PORTCULLIS_SEED") {
        return seed.parse().expect("a seed is a number");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.expect("a date").as_micros()).expect("a year of 64 bits")
}

/// Runs a property on random cases.
fn hold(property: impl Fn(&Case) -> Outcome) {
    let is_full = std::env::var_os("PORTCULLIS_FULL").is_some_and(|value| value == "1");
    let (seed, count) = (seed(), if is_full { 10_000 } else { 1_000 });
    println!("{count} cases, PORTCULLIS_SEED={seed}");
    let mut runner = cases::runner(seed, count);
    if let Err(error) = runner.run(&cases::cases(), |case| property(&case)) {
        panic!("PORTCULLIS_SEED={seed}: {error}");
    }
}

/// What each container gets, or the reason why it gets nothing.
fn given(pod: &Value, world: &World) -> BTreeMap<String, Result<Given, &'static str>> {
    let all = resolve(pod, world).into_iter();
    all.map(|(name, given)| (name, given.map_err(|failure| failure.reason())))
        .collect()
}

fn moved(map: &Map) -> BTreeSet<String> {
    map.moved.clone()
}

fn later(map: &Map) -> BTreeSet<String> {
    map.later.clone()
}

fn nothing(_: &Map) -> BTreeSet<String> {
    BTreeSet::new()
}

/// None where a volume cannot be expressed, which natively makes the pod wait.
fn rewritten(case: &Case, maps: &Maps) -> Result<Option<Value>, TestCaseError> {
    match rewrite(&case.pod, None, maps) {
        Ok(pod) => Ok(Some(pod)),
        Err(Refusal::Ambiguous { pointer, .. }) => {
            let mut only = case.pod.clone();
            let volume = only.pointer(&pointer).cloned().unwrap();
            let mount = json!([{"name": volume["name"], "mountPath": "/m"}]);
            only["spec"] =
                json!({"volumes": [volume], "containers": [{"name": "c", "volumeMounts": mount}]});
            let natively = given(&only, &case.native());
            prop_assert_eq!(natively.get("c"), Some(&Err("FailedMount")));
            Ok(None)
        }
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

#[test]
fn containers_get_the_same_before_and_after() {
    let occurred = RefCell::new(BTreeMap::<&str, u32>::new());
    hold(|case| {
        let Some(after) = rewritten(case, &case.known(moved))? else {
            return Ok(());
        };
        let (natively, relocated) = (case.native(), case.world(moved));
        prop_assert_eq!(
            given(&case.pod, &natively),
            given(&after, &relocated),
            "{}",
            after
        );
        for form in forms::of(case, &after, &natively, &relocated) {
            *occurred.borrow_mut().entry(form).or_default() += 1;
        }
        Ok(())
    });
    let occurred = occurred.into_inner();
    println!("{occurred:#?}");
    let missing: Vec<_> = forms::ALL
        .iter()
        .filter(|form| !occurred.contains_key(*form))
        .collect();
    assert!(missing.is_empty(), "never tried: {missing:?}");
}

#[test]
fn kubelets_that_leave_out_odd_names_give_the_same() {
    hold(|case| {
        let Some(after) = rewritten(case, &case.known(moved))? else {
            return Ok(());
        };
        let strict = |world| World {
            is_strict: true,
            ..world
        };
        let natively = given(&case.pod, &strict(case.native()));
        prop_assert_eq!(natively, given(&after, &strict(case.world(moved))));
        Ok(())
    });
}

#[test]
fn a_rewritten_pod_is_left_as_it_is() {
    hold(|case| {
        let maps = case.known(moved);
        let Some(after) = rewritten(case, &maps)? else {
            return Ok(());
        };
        prop_assert_eq!(
            &rewrite(&after, None, &maps),
            &Ok(after.clone()),
            "created again"
        );
        prop_assert_eq!(&rewrite(&after, Some(&after), &maps), &Ok(after.clone()));
        prop_assert_eq!(unrewritten(&after, None, &maps), vec![]);
        prop_assert_eq!(pod::check_names(&after, None, &maps), Ok(()));
        prop_assert_eq!(pod::bypassed(&after, &maps), Ok(BTreeSet::new()));
        Ok(())
    });
}

#[test]
fn what_no_placeholder_reaches_is_not_called_unrewritten_and_nothing_else() {
    hold(|case| {
        if !unrewritten(&case.pod, None, &case.known(moved)).is_empty() {
            return Ok(());
        }
        let natively = given(&case.pod, &case.native());
        prop_assert_eq!(natively, given(&case.pod, &case.world(moved)));
        Ok(())
    });
}

#[test]
fn keys_that_are_prepared_or_have_moved_back_are_read_where_they_are_served() {
    hold(|case| {
        let Some(after) = rewritten(case, &case.known(moved))? else {
            return Ok(());
        };
        // The ConfigMap is in clear again, or still.
        let (natively, prepared) = (case.native(), case.world_of(nothing, moved));
        prop_assert_eq!(given(&case.pod, &natively), given(&after, &prepared));
        prop_assert_eq!(given(&case.pod, &natively), given(&case.pod, &prepared));
        Ok(())
    });
}

#[test]
fn what_goes_later_is_gone() {
    for lost in ["app", "A", "d"] {
        hold(|case| {
            let Some(after) = rewritten(case, &case.known(moved))? else {
                return Ok(());
            };
            let aged = case.aged(lost);
            let (natively, relocated) = (aged.native(), aged.world(moved));
            if unambiguous(&case.pod) {
                let natively = given(&case.pod, &natively);
                prop_assert_eq!(natively, given(&after, &relocated), "{}", after);
            }
            Ok(())
        });
    }
}

#[test]
fn who_comes_before_a_config_map_or_a_key_gets_what_comes() {
    for lost in ["app", "A", "d"] {
        let awaited = RefCell::new(0);
        hold(|case| {
            let early = case.aged(lost);
            let Some(after) = rewritten(&early, &early.known(moved))? else {
                return Ok(());
            };
            let uses = unrewritten(&after, None, &case.known(moved));
            prop_assert!(uses.is_empty() || !unambiguous(&case.pod), "{uses:?}");
            prop_assert_eq!(
                pod::check_names(&after, None, &case.known(moved)),
                Ok(()),
                "it came in between"
            );
            if unambiguous(&case.pod) {
                let relocated = case.with_awaited(&after, case.world(moved));
                *awaited.borrow_mut() += u32::from(relocated.secrets != case.world(moved).secrets);
                let natively = given(&case.pod, &case.native());
                prop_assert_eq!(natively, given(&after, &relocated), "{}", after);
            }
            Ok(())
        });
        assert!(awaited.into_inner() > 50, "hardly anything came later");
    }
}

#[test]
fn nobody_feeds_a_pod_from_a_staged_secret() {
    let tried = RefCell::new(0);
    hold(|case| {
        let staged = portcullis_relocation::names::staged(7);
        let pod = case
            .pod
            .to_string()
            .replace("\"own\"", &format!("\"{staged}\""));
        let pod: Value = serde_json::from_str(&pod).unwrap();
        if pod != case.pod {
            *tried.borrow_mut() += 1;
            let refused = rewrite(&pod, None, &case.known(moved));
            prop_assert!(refused.is_err(), "{pod}");
            prop_assert!(pod::check_names(&pod, None, &case.known(moved)).is_err());
        }
        Ok(())
    });
    assert!(tried.into_inner() > 100, "hardly any pod has Secrets");
}

#[test]
fn keys_that_move_later_arrive() {
    type Before = (&'static str, fn(&Case) -> Maps);
    let before: [Before; 3] = [
        ("some had moved", |case| case.known(moved)),
        ("nothing had moved", |case| case.known(nothing)),
        ("no ConfigMap was there", |case| {
            let names = case.known(nothing).into_keys();
            names.map(|name| (name, pod::Known::default())).collect()
        }),
    ];
    for (when, known) in before {
        println!("{when}");
        let reached = RefCell::new(0);
        hold(|case| {
            let Some(after) = rewritten(case, &known(case))? else {
                return Ok(());
            };
            let uses = unrewritten(&after, None, &case.known(later));
            // By these, what comes later is there as natively.
            let whole = |pointer: &str| pointer.contains("/envFrom/");
            prop_assert!(uses.iter().all(|one| !whole(&one.pointer)), "{uses:?}");
            if uses.is_empty() && unambiguous(&case.pod) {
                *reached.borrow_mut() +=
                    u32::from(!unrewritten(&case.pod, None, &case.known(later)).is_empty());
                let natively = given(&case.pod, &case.native());
                let relocated = case.with_awaited(&after, case.world(later));
                prop_assert_eq!(natively, given(&after, &relocated), "{}", after);
            }
            Ok(())
        });
        assert!(reached.into_inner() > 50, "hardly anything moved later");
    }
}

/// Whether no ConfigMap volume lists a path twice: which item wins is decided
/// once.
fn unambiguous(pod: &Value) -> bool {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let mut items = volumes.filter_map(|volume| volume["configMap"]["items"].as_array());
    items.all(|items| {
        let paths: BTreeSet<_> = items.iter().map(|item| item["path"].to_string()).collect();
        paths.len() == items.len()
    })
}

#[test]
fn an_update_without_a_change_changes_nothing() {
    hold(|case| {
        let Some(stored) = rewritten(case, &case.known(moved))? else {
            return Ok(());
        };
        let maps = case.known(later);
        for (how, merged) in merges::all(&case.pod, &stored) {
            let updated = rewrite(&merged, Some(&stored), &maps);
            prop_assert_eq!(&updated, &Ok(stored.clone()), "{}: {}", how, merged);
            prop_assert_eq!(unrewritten(&stored, Some(&stored), &maps), vec![]);
        }
        // Born before the namespace was enrolled.
        prop_assert_eq!(
            &rewrite(&case.pod, Some(&case.pod), &maps),
            &Ok(case.pod.clone())
        );
        prop_assert_eq!(unrewritten(&case.pod, Some(&case.pod), &maps), vec![]);
        Ok(())
    });
}

#[test]
fn debugging_containers_join_an_old_pod() {
    hold(|case| {
        let maps = case.known(moved);
        let mut stored = case.pod.clone();
        stored["spec"]["ephemeralContainers"] = json!([]);
        let Ok(joined) = rewrite(&case.pod, Some(&stored), &maps) else {
            return Err(TestCaseError::fail("refused"));
        };
        for field in ["initContainers", "containers", "volumes"] {
            prop_assert_eq!(&joined["spec"][field], &stored["spec"][field]);
        }
        let uses = unrewritten(&joined, Some(&stored), &maps);
        prop_assert_eq!(uses, vec![]);
        Ok(())
    });
}

#[test]
fn the_config_maps_of_a_pod_are_told_in_either_form() {
    hold(|case| {
        let Some(after) = rewritten(case, &case.known(moved))? else {
            return Ok(());
        };
        let (before, after) = (pod::config_maps(&case.pod), pod::config_maps(&after));
        for (name, used) in &before {
            // A long name cannot be read from that of its serving Secret.
            let Some(again) = after.get(name) else {
                prop_assert!(name.len() > 200 && !used.is_whole, "{name}");
                continue;
            };
            prop_assert_eq!(used.is_whole, again.is_whole);
            prop_assert!(again.keys.is_subset(&used.keys));
            let is_told = name.len() < 200 && unambiguous(&case.pod);
            prop_assert!(!is_told || used == again, "{name}");
        }
        prop_assert!(after.keys().all(|name| before.contains_key(name)));
        Ok(())
    });
}
