//! Directives and blocks, one after the other.

use super::lexer::{Lexer, Token};

/// What comes next in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A simple directive: its name and its parameters.
    Directive(Vec<String>),
    /// A block begins: the directive that it belongs to. What is within one in Lua is left out.
    Open(Vec<String>),
    /// A block ends.
    Close,
}

/// What a text has, in order. Words that no `;` or `{` ends are nothing to nginx.
pub fn items(text: &str) -> impl Iterator<Item = Item> {
    let mut lexer = Lexer::new(text);
    let mut is_lua = false;
    std::iter::from_fn(move || {
        if std::mem::take(&mut is_lua) {
            lexer.skip_block();
            return Some(Item::Close);
        }
        let mut words = Vec::new();
        loop {
            match lexer.next()? {
                Token::Word(word) => words.push(word),
                Token::End => return Some(Item::Directive(words)),
                Token::Close => return Some(Item::Close),
                Token::Open => {
                    is_lua = words
                        .first()
                        .is_some_and(|it| it.ends_with("_by_lua_block"));
                    return Some(Item::Open(words));
                }
            }
        }
    })
}
