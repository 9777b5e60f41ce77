//! One escape function per syntax, so that no value can become syntax.

/// nginx reads a parameter into a buffer of 4096 bytes (`NGX_CONF_BUFFER`) and rejects longer ones.
const NGINX_LONGEST: usize = 4000;

/// Why a text cannot be written in a syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EscapeError {
    /// It contains a character that the syntax cannot represent, or that is certainly a mistake.
    #[error("it contains {name}, which {syntax} can't hold")]
    Character {
        /// The character's name, since it may not be printable.
        name: String,
        syntax: &'static str,
    },
    /// It is longer than the syntax allows.
    #[error("it is {length} bytes long when quoted; {syntax} allows {longest}")]
    TooLong {
        length: usize,
        longest: usize,
        syntax: &'static str,
    },
    /// A `%` in a URL starts no valid percent-encoding.
    #[error("'%' is not followed by two hexadecimal digits")]
    Percent,
    /// The percent-decoded bytes of a URL are not UTF-8.
    #[error("it is not UTF-8 after decoding")]
    NotUtf8,
    #[error("it is empty")]
    Empty,
}

/// The error for `character`, which is described if it is not printable.
fn refuse(character: char, syntax: &'static str) -> EscapeError {
    let name = match character {
        '\n' | '\r' => "a line break".to_owned(),
        '\0' => "a NUL".to_owned(),
        ' ' => "a blank".to_owned(),
        c if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
        c => format!("'{c}'"),
    };
    EscapeError::Character { name, syntax }
}

/// `text` as one nginx parameter in double quotes. Variables in it stay variables. A tab, common in
/// log formats and headers, is escaped. A line break is an error, since it can only be a mistake.
pub fn nginx_quoted(text: &str) -> Result<String, EscapeError> {
    quote_for_nginx(text, |c| match c {
        '\t' => Ok("\\t"),
        c => Err(refuse(c, "an nginx parameter")),
    })
}

/// `text` as one nginx parameter with exactly the value `text`: a dollar sign becomes
/// `${hactl_dollar}`, which nginx.conf defines, and line breaks and tabs are escaped.
pub fn nginx_text(text: &str) -> Result<String, EscapeError> {
    let literal = text.replace('$', "${hactl_dollar}");
    quote_for_nginx(&literal, |c| match c {
        '\n' => Ok("\\n"),
        '\r' => Ok("\\r"),
        '\t' => Ok("\\t"),
        c => Err(refuse(c, "an nginx parameter")),
    })
}

/// `text` as one nginx parameter in which `$name` and `${name}` are variables, and every other
/// dollar sign is literal.
pub fn nginx_variables(text: &str) -> Result<String, EscapeError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        // `$5` would be a regex capture, and hactl renders no regexes.
        let name = |text: &str| match text.bytes().next() {
            Some(b'0'..=b'9') => 0,
            _ => text.bytes().take_while(|b| is_variable_byte(*b)).count(),
        };
        let length = match after.strip_prefix('{') {
            Some(inner) => match name(inner) {
                n if n > 0 && inner[n..].starts_with('}') => n + 2,
                _ => 0,
            },
            None => name(after),
        };
        if length == 0 {
            out.push_str("${hactl_dollar}");
        } else {
            out.push('$');
            out.push_str(&after[..length]);
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    nginx_quoted(&out)
}

/// `path` percent-decoded: nginx matches locations against the decoded URI.
pub fn decoded_url_path(path: &str) -> Result<String, EscapeError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        let byte = digit(0).zip(digit(1)).map(|(high, low)| high * 16 + low);
        match byte.and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => return Err(EscapeError::Percent),
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| EscapeError::NotUtf8)
}

/// Whether nginx accepts the byte in a variable's name.
fn is_variable_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Quotes `text`, with `control` deciding about control characters.
fn quote_for_nginx(
    text: &str,
    control: impl Fn(char) -> Result<&'static str, EscapeError>,
) -> Result<String, EscapeError> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(control(c)?),
            c => out.push(c),
        }
    }
    out.push('"');
    if out.len() > NGINX_LONGEST {
        return Err(EscapeError::TooLong {
            length: out.len(),
            longest: NGINX_LONGEST,
            syntax: "an nginx parameter",
        });
    }
    Ok(out)
}

/// `text` as one bare word of keepalived.conf. keepalived's quoting differs between versions (and
/// `!`, `#`, `$`, `~` and `@` are special), so only characters without a special meaning pass.
pub fn keepalived_word(text: &str) -> Result<&str, EscapeError> {
    if text.is_empty() {
        return Err(EscapeError::Empty);
    }
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.+=/:,%*?&".contains(c);
    match text.chars().find(|c| !harmless(*c)) {
        Some(c) => Err(refuse(c, "a word of keepalived.conf")),
        None => Ok(text),
    }
}

/// `text` as one word of a POSIX shell, in single quotes.
pub fn sh_quoted(text: &str) -> Result<String, EscapeError> {
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(refuse(c, "a word of a script"));
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// `text` as one argument of a systemd `Exec…=` line: in double quotes, `%` and `$` doubled.
pub fn systemd_argument(text: &str) -> Result<String, EscapeError> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            c if c.is_control() => return Err(refuse(c, "a systemd unit")),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses nginx parameters up to the `;` by the rules of `ngx_conf_read_token`. Returns them
    /// and the remaining text.
    fn read_nginx(text: &str) -> Option<(Vec<String>, &str)> {
        let mut parameters = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if let Some(after) = rest.strip_prefix(';') {
                return Some((parameters, after));
            }
            let body = rest.strip_prefix('"')?;
            let mut value = String::new();
            let mut chars = body.char_indices();
            loop {
                match chars.next()? {
                    (at, '"') => {
                        rest = &body[at + 1..];
                        break;
                    }
                    (_, '\\') => match chars.next()?.1 {
                        c @ ('"' | '\'' | '\\') => value.push(c),
                        't' => value.push('\t'),
                        'r' => value.push('\r'),
                        'n' => value.push('\n'),
                        c => value.extend(['\\', c]),
                    },
                    (_, c) => value.push(c),
                }
            }
            parameters.push(value);
        }
    }

    /// Parses one shell word of single-quoted parts and escaped quotes as POSIX sh does.
    fn read_sh(mut word: &str) -> Option<String> {
        let mut value = String::new();
        while !word.is_empty() {
            if let Some(after) = word.strip_prefix(r"\'") {
                value.push('\'');
                word = after;
            } else {
                let (inside, after) = word.strip_prefix('\'')?.split_once('\'')?;
                value.push_str(inside);
                word = after;
            }
        }
        Some(value)
    }

    proptest! {
        #[test]
        fn an_nginx_string_is_one_parameter_that_means_itself(text in ".{0,200}") {
            if let Ok(quoted) = nginx_quoted(&text) {
                let written = format!("{quoted};rest");
                prop_assert_eq!(read_nginx(&written), Some((vec![text], "rest")));
            } else {
                prop_assert!(text.chars().any(char::is_control), "{}", text);
            }
        }

        #[test]
        fn an_nginx_text_has_no_variables_but_the_dollar(text in "[ -~\n\t\r$é]{0,200}") {
            let quoted = nginx_text(&text).unwrap();
            let written = format!("{quoted};rest");
            let (parameters, rest) = read_nginx(&written).unwrap();
            prop_assert_eq!(rest, "rest");
            prop_assert_eq!(parameters.len(), 1);
            let others = parameters[0].replace("${hactl_dollar}", "");
            prop_assert!(!others.contains('$'), "{}", others);
            prop_assert_eq!(parameters[0].replace("${hactl_dollar}", "$"), text);
        }

        #[test]
        fn every_dollar_left_in_a_value_starts_a_variable(text in "[$\\{\\}a-c_0-9 \"\\\\]{0,60}") {
            let quoted = nginx_variables(&text).unwrap();
            let written = format!("{quoted};");
            let (parameters, _) = read_nginx(&written).unwrap();
            for after in parameters[0].split('$').skip(1) {
                let name = after.strip_prefix('{').unwrap_or(after);
                prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{after}");
                prop_assert!(!after.starts_with('{') || name.contains('}'), "{after}");
            }
            prop_assert_eq!(parameters[0].replace("${hactl_dollar}", "$"), text);
        }

        #[test]
        fn a_shell_word_means_itself(text in ".{0,200}") {
            if let Ok(quoted) = sh_quoted(&text) {
                prop_assert_eq!(read_sh(&quoted), Some(text));
            } else {
                prop_assert!(text.chars().any(char::is_control), "{}", text);
            }
        }

        #[test]
        fn a_keepalived_word_has_nothing_that_keepalived_interprets(text in ".{0,40}") {
            if let Ok(word) = keepalived_word(&text) {
                prop_assert!(!word.is_empty(), "empty");
                let special = |c: char| c.is_control() || r#" "'{}#!$~@\;<>"#.contains(c);
                prop_assert!(!word.chars().any(special), "{}", word);
            }
        }

        #[test]
        fn a_systemd_argument_has_no_lone_percent_or_dollar(text in "[ -~]{0,60}") {
            let quoted = systemd_argument(&text).unwrap();
            let inside = &quoted[1..quoted.len() - 1];
            let undone = inside
                .replace("%%", "\u{1}").replace("$$", "\u{2}")
                .replace("\\\\", "\u{3}").replace("\\\"", "\u{4}");
            prop_assert!(!undone.contains(['%', '$', '"', '\\']), "{inside}");
        }
    }

    #[test]
    fn control_characters_are_named_and_length_is_bounded() {
        assert_eq!(
            nginx_quoted("a\nb").unwrap_err().to_string(),
            "it contains a line break, which an nginx parameter can't hold"
        );
        assert_eq!(
            sh_quoted("a\0").unwrap_err().to_string(),
            "it contains a NUL, which a word of a script can't hold"
        );
        assert_eq!(
            nginx_text(&"x".repeat(5000)).unwrap_err().to_string(),
            "it is 5002 bytes long when quoted; an nginx parameter allows 4000"
        );
        assert_eq!(keepalived_word(""), Err(EscapeError::Empty));
    }
}
