//! The rules, applied to one file: its path from the root and its text go in, `file:line: what` comes out.

use super::house::*;
use super::scrub::{is_word, scrub};

/// A module uses modules of lower floors only, never its own floor, never above.
pub fn floors(file: &str, text: &str) -> Vec<String> {
    let Some(here) = module_of(file) else { return Vec::new() };
    let Some(floor) = floor_of(top(&here)) else { return Vec::new() };
    let from = top(&here);
    let code = scrub(text);
    let mut problems = Vec::new();
    for (at, used) in crate_uses(&code) {
        let Some(other) = floor_of(&used) else { continue };
        let granted = NEIGHBOURS.iter().any(|(who, whom, _)| (*who, *whom) == (from, used.as_str()));
        if used != from && other >= floor && !granted {
            let line = line_of(&code, at);
            problems.push(format!(
                "{file}:{line}: '{from}' may not use '{used}' (floor {floor} uses floors below {floor}; it is on {other})"
            ));
        }
    }
    problems
}

/// A foreign crate with a place of its own is named nowhere else.
pub fn crates(file: &str, text: &str) -> Vec<String> {
    let Some(here) = module_of(file) else { return Vec::new() };
    let code = scrub(text);
    let mut problems = Vec::new();
    for (name, places) in CRATES {
        if places.iter().any(|place| is_within(&here, place)) {
            continue;
        }
        let path = format!("{name}::");
        // `crate::config::` and `self::config::` are ours; the crate's path begins with its own name.
        for at in words(&code, &path).filter(|at| !code[..*at].ends_with("::")) {
            let line = line_of(&code, at);
            problems.push(format!("{file}:{line}: '{name}' is used in {} only", places.join(", ")));
        }
    }
    problems
}

/// Below floor 7: no clock, no hash order, no thread, no future.
pub fn determinism(file: &str, text: &str) -> Vec<String> {
    let Some(here) = module_of(file) else { return Vec::new() };
    let below = floor_of(top(&here)).is_some_and(|floor| floor < FIRST_FREE_FLOOR);
    let excused = CLOCKS_AND_THREADS.iter().any(|(place, _)| is_within(&here, place));
    if !below || excused {
        return Vec::new();
    }
    let code = scrub(text);
    let found = |(word, why): &(&str, &str)| {
        words(&code, word).map(|at| format!("{file}:{}: `{word}`: {why}", line_of(&code, at))).collect::<Vec<_>>()
    };
    let mut problems: Vec<String> = LEAKS.iter().flat_map(found).collect();
    problems.dedup();
    problems
}

/// Where numbers are money, they are integers.
pub fn money(file: &str, text: &str) -> Vec<String> {
    let Some(here) = module_of(file) else { return Vec::new() };
    let exact = EXACT.iter().any(|place| is_within(&here, place));
    if !exact || FLOATS_NEAR_MONEY.iter().any(|(name, _)| *name == file) {
        return Vec::new();
    }
    let code = scrub(text);
    let floats = ["f64", "f32"].into_iter().flat_map(|word| words(&code, word).map(move |at| (word, at)));
    floats.map(|(word, at)| format!("{file}:{}: {word} where money is exact", line_of(&code, at))).collect()
}

/// Nothing unfinished is left, in code or in words.
pub fn unfinished(file: &str, text: &str) -> Vec<String> {
    let code = scrub(text);
    let in_code = UNFINISHED.iter().flat_map(|word| words(&code, word).map(move |at| (*word, at)));
    let mut problems: Vec<String> =
        in_code.map(|(word, at)| format!("{file}:{}: {word}", line_of(&code, at))).collect();
    // Spelled apart, so that this file does not contain them.
    for word in [["PLACE", "HOLDER"].concat(), ["(to ", "come)"].concat()] {
        problems.extend(text.match_indices(&word).map(|(at, _)| format!("{file}:{}: {word}", line_of(text, at))));
    }
    problems
}

/// No module is named for not having a name.
pub fn names(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/');
    let nameless = parts.filter(|part| NOT_A_NOUN.contains(part));
    nameless.map(|part| format!("{file}: '{part}' says nothing; which noun is missing?")).collect()
}

/// A file is one idea, one sitting long.
pub fn length(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= LINES_MAX || LONG_FILES.iter().any(|(name, _)| *name == file) {
        return Vec::new();
    }
    vec![format!("{file}: {lines} lines, {LINES_MAX} are one sitting")]
}

/// Every dependency has a comment above it or behind it. A `# --` heading is none, except the one that says that
/// the user chose what follows.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut inside, mut chosen, mut reason) = (false, false, false);
    for (n, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            (inside, chosen, reason) = (line.ends_with("dependencies]"), false, false);
        } else if line.starts_with("# --") {
            (chosen, reason) = (line.contains("chosen by the user"), false);
        } else if line.starts_with('#') {
            reason = true;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            if !reason && !chosen && !value.contains('#') {
                problems.push(format!("Cargo.toml:{}: `{}` does not say why it is here", n + 1, name.trim()));
            }
            reason = false;
        }
    }
    problems
}

/// `src/market/book.rs` is `market::book`; `src/lib.rs` and what is not in `src` is no module.
fn module_of(file: &str) -> Option<String> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (path != "lib").then(|| path.replace('/', "::"))
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn is_within(module: &str, place: &str) -> bool {
    module.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where `word` stands as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let open = word.starts_with(is_word);
    let closed = word.ends_with(is_word);
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        !(open && before || closed && after)
    })
}

/// The top-level modules named after `crate::`, alone or in braces, with where.
fn crate_uses(code: &str) -> Vec<(usize, String)> {
    let mut uses = Vec::new();
    for at in words(code, "crate::") {
        let start = at + "crate::".len();
        if code[start..].starts_with('{') {
            group(code, start + 1, &mut uses);
        } else {
            uses.push((at, word_at(code, start)));
        }
    }
    uses
}

/// The first word of each item of a `{…}` list that begins at `start`.
fn group(code: &str, start: usize, uses: &mut Vec<(usize, String)>) {
    let (mut depth, mut fresh) = (1, true);
    for (at, c) in code[start..].char_indices().map(|(at, c)| (start + at, c)) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            _ if fresh && is_word(c) => {
                uses.push((at, word_at(code, at)));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn word_at(code: &str, at: usize) -> String {
    code[at..].chars().take_while(|c| is_word(*c)).collect()
}
