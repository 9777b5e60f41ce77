//! Splits text into directives and blocks.

use super::lexer::{Lexer, Token};

/// An item of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A simple directive: name and parameters.
    Directive(Vec<String>),
    /// The start of a block: its directive. The content of Lua blocks is skipped.
    Open(Vec<String>),
    /// The end of a block.
    Close,
}

/// The items of a text, in order. Words that are not followed by `;` or `{` mean nothing to nginx.
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
