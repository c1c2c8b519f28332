//! Source without its comments and texts.

/// `source` with comments, string and character literals blanked out; lines stay where they were.
///
/// Knows what Rust knows: nested block comments, escapes, raw strings with any number of `#`, and that `'a` is a
/// lifetime where `'a'` is a character.
pub fn scrub(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = end_of_blank(&chars, i);
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `i` ends; `i` if none begins there.
fn end_of_blank(chars: &[char], i: usize) -> usize {
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let after =
        |from: usize, stop: &dyn Fn(usize) -> bool| (from..chars.len()).find(|n| stop(*n)).unwrap_or(chars.len());
    match (at(i), at(i + 1)) {
        ('/', '/') => after(i, &|n| at(n) == '\n'),
        ('/', '*') => {
            let (mut depth, mut n) = (1, i + 2);
            while depth > 0 && n < chars.len() {
                match (at(n), at(n + 1)) {
                    ('/', '*') => (depth, n) = (depth + 1, n + 2),
                    ('*', '/') => (depth, n) = (depth - 1, n + 2),
                    _ => n += 1,
                }
            }
            n
        }
        ('r', '"' | '#') if !is_word(at(i.wrapping_sub(1))) || at(i.wrapping_sub(1)) == 'b' => {
            let hashes = (i + 1..).take_while(|n| at(*n) == '#').count();
            if at(i + 1 + hashes) != '"' {
                return i; // a raw identifier
            }
            let closes = |n: usize| at(n) == '"' && (1..=hashes).all(|k| at(n + k) == '#');
            (after(i + hashes + 2, &closes) + 1 + hashes).min(chars.len())
        }
        ('"', _) => end_of_quoted(chars, i, '"'),
        ('\'', '\\') => end_of_quoted(chars, i, '\''),
        ('\'', _) if at(i + 2) == '\'' => i + 3,
        _ => i,
    }
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut n = start + 1;
    while n < chars.len() && chars[n] != quote {
        n += if chars[n] == '\\' { 2 } else { 1 };
    }
    (n + 1).min(chars.len())
}

/// Whether `c` can be part of an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn only_code_is_left_and_every_line_stays() {
    let blanked = |text: &str| scrub(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blanked("a // b\nc /* d /* e */ f */ g"), "a c g");
    assert_eq!(blanked(r#"x("say \"hi\" // no", y)"#), "x( , y)");
    assert_eq!(blanked("x(r#\"a \"quoted\" // word\"#, y) z"), "x( , y) z");
    assert_eq!(blanked("fn f<'a>(c: &'a str) { '\"'; '\\''; b }"), "fn f<'a>(c: &'a str) { ; ; b }");
    assert_eq!(scrub("/* one\ntwo */ three").lines().nth(1).map(str::trim), Some("three"));
}
