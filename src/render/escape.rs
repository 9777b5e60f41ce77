//! One escape per syntax, so that no value can become syntax.

/// nginx reads a parameter into a buffer of 4096 bytes (`NGX_CONF_BUFFER`) and refuses a longer one.
const NGINX_LONGEST: usize = 4000;

/// Why a text can't be written in a syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EscapeError {
    /// It holds a character that the syntax can't carry, or that nobody means.
    #[error("it contains {name}, which {syntax} can't hold")]
    Character {
        /// The character's name.
        name: String,
        /// The syntax.
        syntax: &'static str,
    },
    /// It is longer than the syntax allows.
    #[error("it has {length} bytes once it is quoted, and {syntax} takes {longest} at most")]
    TooLong {
        /// Its length.
        length: usize,
        /// The most that fits.
        longest: usize,
        /// The syntax.
        syntax: &'static str,
    },
    /// It has to be something, and it is nothing.
    #[error("it is empty")]
    Empty,
}

/// The error for `character`, which is named rather than printed.
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

/// `text` as one nginx parameter in double quotes. Variables in it stay variables.
pub fn nginx_quoted(text: &str) -> Result<String, EscapeError> {
    quote_for_nginx(text, |c| Err(refuse(c, "an nginx parameter")))
}

/// `text` as one nginx parameter that means exactly `text`: a dollar sign becomes
/// `${hactl_dollar}`, which nginx.conf defines, and line breaks and tabs become escapes.
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
/// dollar sign is itself.
pub fn nginx_variables(text: &str) -> Result<String, EscapeError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        // `$5` would be what a regular expression captured, and hactl renders none.
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

/// True for what nginx takes as part of a variable's name.
fn is_variable_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Quotes `text`; `control` says what becomes of a control character.
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

/// `text` as one bare word of keepalived.conf. keepalived's quoting differs between its versions
/// (and `!`, `#`, `$`, `~` and `@` mean things), so only characters without a meaning pass.
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
