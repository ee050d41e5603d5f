//! Names of fields and variants, as serde writes them.

/// `ImageLatest` as `image-latest`.
pub(crate) fn kebab(name: &str) -> String {
    words(name).join("-")
}

/// The words of a name in `PascalCase` or `snake_case`, lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut starts_word = true;
    for character in name.chars() {
        if character == '_' {
            starts_word = true;
            continue;
        }
        if starts_word || character.is_uppercase() {
            words.push(String::new());
        }
        starts_word = false;
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// A field's name under a `rename_all` rule of serde. None for an unknown
/// rule.
pub(crate) fn field(rule: &str, name: &str) -> Option<String> {
    let words: Vec<String> = name.split('_').map(str::to_owned).collect();
    let capital = |word: &String| {
        let mut characters = word.chars();
        characters.next().map_or(String::new(), |first| {
            first.to_uppercase().collect::<String>() + characters.as_str()
        })
    };
    let pascal = || words.iter().map(capital).collect::<String>();
    Some(match rule {
        "lowercase" | "snake_case" => name.to_owned(),
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_uppercase(),
        "PascalCase" => pascal(),
        "camelCase" => {
            let name = pascal();
            let mut characters = name.chars();
            characters.next().map_or(String::new(), |first| {
                first.to_lowercase().collect::<String>() + characters.as_str()
            })
        }
        "kebab-case" => name.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => name.to_uppercase().replace('_', "-"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_serde() {
        for (rule, expected) in [
            ("camelCase", "initContainers"),
            ("PascalCase", "InitContainers"),
            ("kebab-case", "init-containers"),
            ("SCREAMING_SNAKE_CASE", "INIT_CONTAINERS"),
            ("snake_case", "init_containers"),
        ] {
            assert_eq!(field(rule, "init_containers").as_deref(), Some(expected));
        }
        assert_eq!(kebab("ImageMajorOnly"), "image-major-only");
    }
}
