use super::*;

fn ring() -> Keyring {
    Keyring::new(&[7; 32], &[&[8; 32]]).unwrap()
}

/// Issued at 5, over the resourceVersion 70.
const ISSUE: Issue<'_> = Issue {
    at: 5,
    write: written("70"),
};

const fn written(over: &str) -> Write<'_> {
    Write { over, by: "dev" }
}

fn place(field: &Field) -> Place<'_> {
    Place {
        namespace: "shop",
        owner: Owner::Named("app"),
        field,
        staged: "portcullis-moved-s-00000000000000aa",
    }
}

#[test]
fn a_digest_is_good_for_its_place_and_value_alone() {
    let (ring, field, other) = (ring(), Field::text("password"), Field::binary("password"));
    let here = place(&field);
    let digest = ring.digest(&here, b"hunter22", ISSUE);
    assert!(ring.matches(&here, &digest, b"hunter22"));
    assert!(!ring.matches(&here, &digest, b"hunter23"));
    let elsewhere = [
        Place {
            namespace: "sho",
            ..here
        },
        Place {
            owner: Owner::Named("papp"),
            ..here
        },
        Place {
            owner: Owner::Generated("app"),
            ..here
        },
        Place {
            field: &other,
            ..here
        },
        Place {
            staged: "portcullis-moved-s-00000000000000ab",
            ..here
        },
    ];
    for place in elsewhere {
        assert!(!ring.is_sealed(&place, &digest, written("70")), "{place:?}");
        assert!(!ring.matches(&place, &digest, b"hunter22"), "{place:?}");
    }
}

#[test]
fn parts_do_not_run_into_each_other() {
    let (ring, field) = (ring(), Field::text("k"));
    let one = Place {
        namespace: "ab",
        owner: Owner::Named("c"),
        ..place(&field)
    };
    let two = Place {
        namespace: "a",
        owner: Owner::Named("bc"),
        ..place(&field)
    };
    let digest = ring.digest(&one, b"v", ISSUE);
    assert!(!ring.is_sealed(&two, &digest, written("70")));
}

#[test]
fn time_size_and_what_is_replaced_are_sealed() {
    let (ring, field) = (ring(), Field::text("k"));
    let digest = ring.digest(&place(&field), &[1; 1025], ISSUE);
    assert_eq!((digest.issued(), digest.size()), (5, 1088));
    assert!(ring.is_sealed(&place(&field), &digest, written("70")));
    assert!(!ring.is_sealed(&place(&field), &digest, written("71")));
    assert!(!ring.is_sealed(&place(&field), &digest, written("")));
    let later = Digest {
        issued: 6,
        ..digest.clone()
    };
    let smaller = Digest { units: 1, ..digest };
    assert!(!ring.is_sealed(&place(&field), &later, written("70")));
    assert!(!ring.is_sealed(&place(&field), &smaller, written("70")));
}

#[test]
fn keys_overlap_while_they_are_rotated() {
    let field = Field::text("k");
    let (old, new) = ([7; 32], [9; 32]);
    let before = Keyring::new(&old, &[]).unwrap();
    let accepted = Keyring::new(&old, &[&new]).unwrap();
    let after = Keyring::new(&new, &[&old]).unwrap();
    let done = Keyring::new(&new, &[]).unwrap();
    let digest = before.digest(&place(&field), b"v", ISSUE);
    let next = after.digest(&place(&field), b"v", ISSUE);
    assert!(after.matches(&place(&field), &digest, b"v"));
    assert!(accepted.matches(&place(&field), &next, b"v"));
    assert!(!done.matches(&place(&field), &digest, b"v"));
    assert!(!before.matches(&place(&field), &next, b"v"));
}

#[test]
fn short_keys_are_refused_and_none_is_shown() {
    assert_eq!(Keyring::new(&[1; 31], &[]).err(), Some(ShortKey(31)));
    assert_eq!(Keyring::new(&[1; 32], &[&[]]).err(), Some(ShortKey(0)));
    assert_eq!(format!("{:?}", ring()), "Keyring(..)");
}
