//! Names in settings: written whole, or with a `*` at the end that stands for
//! any rest.

use crate::Fault;

/// Whether one of the entries is `name`, or is the beginning of it and ends
/// with `*`.
///
/// ```
/// let entries = ["shop".to_owned(), "team-*".to_owned()];
/// assert!(portcullis_sdk::names::fit(&entries, "team-a"));
/// assert!(!portcullis_sdk::names::fit(&entries, "shopping"));
/// ```
pub fn fit(entries: &[String], name: &str) -> bool {
    entries.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == entry,
    })
}

/// What is wrong with the entries of the settings' member `member`: one that is
/// empty, or has a `*` anywhere but at its end.
pub fn faults(member: &str, entries: &[String]) -> Vec<Fault> {
    let is_name = |entry: &str| {
        let star = entry.find('*');
        !entry.is_empty() && star.is_none_or(|at| at + 1 == entry.len())
    };
    let entries = entries.iter().enumerate();
    let wrong = entries.filter(|(_, entry)| !is_name(entry));
    let fault = |(index, entry): (usize, &String)| {
        let problem = format!("`{entry}` is no name: write it whole, or end it with `*`");
        Fault::new(format!("/{member}/{index}"), problem)
    };
    wrong.map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_may_stand_at_the_end_alone() {
        let entries = ["", "a*b", "*", "a*", "a"].map(str::to_owned);
        let faults = faults("names", &entries);
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["/names/0", "/names/1"]);
    }

    #[test]
    fn a_star_alone_fits_every_name() {
        assert!(fit(&["*".to_owned()], "anything"));
        assert!(!fit(&[], "anything"));
    }
}
