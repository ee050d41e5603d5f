//! How one key follows another, in the entries of the Secret. A new one is first
//! recognised everywhere (`next`), then made `current`; the former one is
//! recognised for as long as it is there (`former-SECONDS`, Unix time).

use std::collections::BTreeMap;

use k8s_openapi::ByteString;

use super::{CURRENT, random};

/// The entry of the key that is to come.
const NEXT: &str = "next";
/// How the entries of former keys begin; when they were followed stands behind.
const FORMER: &str = "former-";

/// The entries of the Secret.
pub type Entries = BTreeMap<String, ByteString>;

/// Has a key be recognised that is not used yet. Nothing happens where there is
/// one already: a rotation was begun and not ended.
///
/// # Errors
///
/// There is no randomness.
pub fn announce(entries: &mut Entries) -> Result<(), String> {
    if !entries.contains_key(NEXT) {
        entries.insert(NEXT.to_owned(), random()?);
    }
    Ok(())
}

/// Makes new digests with it from `now` on, in Unix time. Nothing happens where
/// none is to come.
pub fn exchange(entries: &mut Entries, now: u32) {
    let Some(next) = entries.remove(NEXT) else {
        return;
    };
    if let Some(former) = entries.insert(CURRENT.to_owned(), next) {
        entries.insert(format!("{FORMER}{now}"), former);
    }
}

/// Until when former keys were used, in Unix time; None if there are none.
pub fn followed(entries: &Entries) -> Option<u32> {
    let times = former(entries).map(|name| name[FORMER.len()..].parse().ok());
    // What a person called so was used until nobody knows when.
    times.map(|time| time.unwrap_or(u32::MAX)).max()
}

/// Recognises former keys no more; how many there were.
pub fn drop_former(entries: &mut Entries) -> usize {
    let names: Vec<String> = former(entries).cloned().collect();
    for name in &names {
        entries.remove(name);
    }
    names.len()
}

fn former(entries: &Entries) -> impl Iterator<Item = &String> {
    entries.keys().filter(|name| name.starts_with(FORMER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        [(CURRENT.to_owned(), ByteString(vec![1; 32]))].into()
    }

    #[test]
    fn a_key_is_known_before_it_is_used_and_after() {
        let mut held = entries();
        announce(&mut held).expect("randomness");
        let next = held[NEXT].clone();
        assert_eq!((held.len(), &held[CURRENT]), (2, &entries()[CURRENT]));
        // Somebody was killed here, and begins again.
        announce(&mut held).expect("randomness");
        assert_eq!(held[NEXT], next);
        exchange(&mut held, 7);
        assert_eq!((&held[CURRENT], held.len()), (&next, 2));
        assert_eq!(held["former-7"], entries()[CURRENT]);
        let before = held.clone();
        exchange(&mut held, 8);
        assert_eq!(held, before, "nothing is to come");
    }

    #[test]
    fn former_keys_go_and_no_others() {
        let mut held = entries();
        assert_eq!((followed(&held), drop_former(&mut held)), (None, 0));
        for (name, time) in [("former-7", 7), ("former-12", 12), ("former-x", u32::MAX)] {
            held.insert(name.to_owned(), ByteString(vec![2; 32]));
            assert_eq!(followed(&held), Some(time), "{name}");
        }
        held.insert(NEXT.to_owned(), ByteString(vec![3; 32]));
        assert_eq!(drop_former(&mut held), 3);
        assert_eq!(held.keys().collect::<Vec<_>>(), [CURRENT, NEXT]);
    }
}
