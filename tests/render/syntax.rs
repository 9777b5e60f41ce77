//! Parses configuration the way the daemons do, and reduces it to its shape: the directives, their
//! numbers of parameters, and their blocks. A value that turned into syntax changes the shape.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    pub(crate) words: Vec<String>,
    pub(crate) block: Option<Vec<Directive>>,
}

/// A directive without its values: its name, its number of words, and its block's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape(String, usize, Option<Vec<Shape>>);

pub(crate) fn shape(directives: &[Directive]) -> Vec<Shape> {
    let of = |directive: &Directive| {
        let name = directive.words.first().cloned().unwrap_or_default();
        let block = directive.block.as_deref().map(shape);
        Shape(name, directive.words.len(), block)
    };
    directives.iter().map(of).collect()
}

/// Parses nginx configuration by the rules of `ngx_conf_read_token`.
pub(crate) fn nginx(text: &str) -> Result<Vec<Directive>, String> {
    let mut stack: Vec<Vec<Directive>> = vec![Vec::new()];
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            ';' if words.is_empty() => return Err("a lone ;".to_owned()),
            ';' => stack.last_mut().unwrap().push(Directive {
                words: std::mem::take(&mut words),
                block: None,
            }),
            '{' => {
                stack.last_mut().unwrap().push(Directive {
                    words: std::mem::take(&mut words),
                    block: None,
                });
                stack.push(Vec::new());
            }
            '}' => close(&mut stack, &words)?,
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match chars.next().ok_or("an open quote")? {
                        '\\' => word.extend(chars.next()),
                        c if c == quote => break,
                        c => word.push(c),
                    }
                }
                let follows = chars.peek().copied().unwrap_or(';');
                if !(follows.is_ascii_whitespace() || ";{)".contains(follows)) {
                    return Err(format!("{follows:?} behind a quote"));
                }
                words.push(word);
            }
            first => {
                let mut word = String::new();
                let mut next = Some(first);
                while let Some(c) = next {
                    word.push(c);
                    if c == '\\' {
                        word.extend(chars.next());
                    }
                    let is_variable = c == '$' && chars.peek() == Some(&'{');
                    next = chars.next_if(|c| {
                        is_variable || !(c.is_ascii_whitespace() || ";{".contains(*c))
                    });
                }
                words.push(word);
            }
        }
    }
    finish(stack, &words)
}

/// Parses keepalived configuration: one directive per line, comments that start with `#` or `!`,
/// and quotes.
pub(crate) fn keepalived(text: &str) -> Result<Vec<Directive>, String> {
    let mut stack: Vec<Vec<Directive>> = vec![Vec::new()];
    for line in text.lines() {
        let mut words = Vec::new();
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                c if c.is_whitespace() => {}
                '#' | '!' => break,
                '"' => {
                    let mut word = String::new();
                    loop {
                        match chars.next().ok_or("an open quote")? {
                            '"' => break,
                            '\\' => word.extend(chars.next()),
                            c => word.push(c),
                        }
                    }
                    words.push(word);
                }
                first => {
                    let mut word = String::from(first);
                    let is_end = |c: &char| c.is_whitespace() || "#!\"".contains(*c);
                    while let Some(c) = chars.next_if(|c| !is_end(c)) {
                        word.push(c);
                    }
                    words.push(word);
                }
            }
        }
        match words.last().map(String::as_str) {
            None => {}
            Some("{") => {
                words.pop();
                let block = None;
                stack.last_mut().unwrap().push(Directive { words, block });
                stack.push(Vec::new());
            }
            Some("}") => {
                words.pop();
                close(&mut stack, &words)?;
            }
            Some(_) => {
                if let Some(word) = words.iter().find(|word| word.contains(['{', '}'])) {
                    return Err(format!("a brace in {word:?}"));
                }
                let block = None;
                stack.last_mut().unwrap().push(Directive { words, block });
            }
        }
    }
    finish(stack, &[])
}

fn close(stack: &mut Vec<Vec<Directive>>, words: &[String]) -> Result<(), String> {
    if !words.is_empty() {
        return Err(format!("{words:?} before }}"));
    }
    let block = stack.pop().unwrap();
    let opener = stack.last_mut().and_then(|outer| outer.last_mut());
    opener.ok_or("a } too much")?.block = Some(block);
    Ok(())
}

fn finish(mut stack: Vec<Vec<Directive>>, words: &[String]) -> Result<Vec<Directive>, String> {
    if !words.is_empty() {
        return Err(format!("{words:?} at the end"));
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(directives), true) => Ok(directives),
        _ => Err("a block that is not closed".to_owned()),
    }
}

#[test]
fn what_became_syntax_changes_the_shape() {
    let read = |text: &str| nginx(text).map(|read| shape(&read));
    let good = read("http { add_header X \"a; } \\\" ${x} #\"; server { listen 80; } }");
    assert_eq!(
        good,
        read("http { add_header X harmless; server { listen 80; } } # x")
    );
    for bad in [
        "http { add_header X a; deny all; server { listen 80; } }",
        "http { add_header X a } server { listen 80; }",
        "http { add_header X \"a\"b; server { listen 80; } }",
        "http { add_header X a b; server { listen 80; } }",
        "http { add_header X \"a; server { listen 80; } }",
    ] {
        assert_ne!(good, read(bad), "{bad}");
    }
    let read = |text: &str| keepalived(text).map(|read| shape(&read));
    let good =
        read("vrrp_instance VI_1 {\n  priority 1 # x\n  virtual_ipaddress {\n  10.0.0.1\n }\n}\n");
    assert!(good.is_ok(), "{good:?}");
    for bad in [
        "vrrp_instance VI_1 {\n  priority 1\n nopreempt\n  virtual_ipaddress {\n  10.0.0.1\n }\n}\n",
        "vrrp_instance VI_1 {\n  priority 1 }\n  virtual_ipaddress {\n  10.0.0.1\n }\n}\n",
        "vrrp_instance VI_1 {\n  priority 1\n  virtual_ipaddress {\n  10.0.0.1 10.0.0.2\n }\n}\n",
    ] {
        assert_ne!(good, read(bad), "{bad}");
    }
}
