use regex::bytes::RegexBuilder;

use super::*;

/// The patterns of the file, in its order.
fn patterns() -> Vec<&'static str> {
    let lines = TOKENS.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

/// A token of a rule, of signs that differ.
fn sample(rule: &Rule, turn: &mut usize) -> String {
    let mut text = String::new();
    let mut add = |item: &Item, text: &mut String| {
        let signs: Vec<u8> = (0..128).filter(|sign| item.has(*sign)).collect();
        for _ in 0..item.least.max(1) {
            *turn = (*turn * 31 + 17) % 1_000_003;
            text.push(char::from(signs[*turn % signs.len()]));
        }
    };
    for item in rule.before.iter().rev() {
        add(item, &mut text);
    }
    text.push_str(&rule.keyword);
    for item in &rule.after {
        add(item, &mut text);
    }
    text
}

fn find(rule: &Rule, text: &str) -> Option<Range<usize>> {
    let starts = text.match_indices(&rule.keyword);
    let mut hits = starts.map(|(start, keyword)| start..start + keyword.len());
    hits.find_map(|hit| rule.matches(text.as_bytes(), &hit).0)
}

#[test]
fn every_format_means_what_its_pattern_means_as_a_regular_expression() {
    let rules = built_in().expect("rules");
    assert!(rules.len() >= 120, "{}", rules.len());
    let mut turn = 1;
    for (rule, pattern) in rules.iter().zip(patterns()) {
        let regex = RegexBuilder::new(pattern).unicode(false).build();
        let regex = regex.unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for _ in 0..20 {
            let token = sample(rule, &mut turn);
            let text = format!("x \"{token}\" y");
            let found = regex.find(text.as_bytes()).expect("a match");
            assert_eq!(found.range(), 3..3 + token.len(), "{pattern}");
            if !shape::is_example(token.as_bytes()) {
                assert_eq!(
                    find(rule, &text),
                    Some(3..3 + token.len()),
                    "{pattern}: {token}"
                );
            }
            let is_fixed = rule.after.last().is_none_or(|item| item.least == item.most);
            let longer = is_fixed.then(|| format!("{token}_"));
            let others = [format!("a{token}"), token[1..].to_owned()];
            let others = others.into_iter().filter(|_| rule.before.is_empty());
            for text in others.chain(longer) {
                assert!(find(rule, &text).is_none(), "{pattern}: {text}");
            }
        }
    }
}

#[test]
fn every_format_has_a_keyword_and_a_title_with_its_article() {
    for rule in built_in().expect("rules") {
        assert!(rule.keyword.len() >= 2, "{rule:?}");
        let begins = rule.title.starts_with("a ") || rule.title.starts_with("an ");
        assert!(begins && !rule.title.ends_with('.'), "{}", rule.title);
    }
}

#[test]
fn what_only_stands_for_a_token_is_none() {
    let rules = built_in().expect("rules");
    for text in [
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_000000000000000000000000000000000000",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-proj-your-key-here",
        "glpat-xxxxxxxxxxxxxxxxxxxx",
    ] {
        assert!(
            rules.iter().all(|rule| find(rule, text).is_none()),
            "{text}"
        );
    }
}

#[test]
fn patterns_that_mean_more_than_is_understood_are_refused() {
    for (line, problem) in [
        ("abc", "has no title"),
        ("a(b|c)d a token", "not understood"),
        ("[a-z]{3} a token", "no keyword"),
        ("abc[a-z]{2,}z a token", "match in two ways"),
        ("abc[a-z a token", "open class"),
        ("abc[a-z]{2 a token", "open repetition"),
        ("abc[a-z]{3,2} a token", "repeats oddly"),
    ] {
        let error = rule(line).expect_err(line);
        assert!(error.contains(problem), "{line}: {error}");
    }
}
