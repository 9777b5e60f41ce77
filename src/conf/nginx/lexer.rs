//! Splits text into words as nginx does (`ngx_conf_read_token`).

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    End,
    Open,
    Close,
}

pub(super) struct Lexer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.rest.next()? {
                c if is_space(c) => {}
                '#' => while self.rest.next().is_some_and(|c| c != '\n') {},
                ';' => return Some(Token::End),
                '{' => return Some(Token::Open),
                '}' => return Some(Token::Close),
                quote @ ('"' | '\'') => return Some(Token::Word(self.quoted(quote))),
                first => return Some(Token::Word(self.word(first))),
            }
        }
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest: text.chars().peekable(),
        }
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escaped(&mut word),
                c if c == quote => break,
                c => word.push(c),
            }
        }
        word
    }

    /// A quote within a word is an ordinary character.
    fn word(&mut self, first: char) -> String {
        let mut word = String::new();
        let mut c = first;
        loop {
            if c == '\\' {
                self.escaped(&mut word);
            } else {
                word.push(c);
            }
            // `${name}` is part of a word.
            let after_dollar = c == '$';
            let next = self
                .rest
                .next_if(|next| !ends_word(*next) || after_dollar && *next == '{');
            match next {
                Some(next) => c = next,
                None => return word,
            }
        }
    }

    /// Handles the character after a backslash. The backslash stays except before these.
    fn escaped(&mut self, word: &mut String) {
        match self.rest.next() {
            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(c) => word.extend(['\\', c]),
            None => word.push('\\'),
        }
    }

    /// Skips to the end of a block in another language.
    pub(super) fn skip_block(&mut self) {
        let mut open = 1_usize;
        while let Some(c) = self.rest.next() {
            match c {
                '{' => open += 1,
                '}' => open -= 1,
                '"' | '\'' => drop(self.quoted(c)),
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn ends_word(c: char) -> bool {
    is_space(c) || c == ';' || c == '{'
}
