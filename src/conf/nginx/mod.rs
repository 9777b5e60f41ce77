//! A reader for nginx.conf, by the rules of `ngx_conf_read_token` and `ngx_conf_include`.

mod conf;
mod directive;
mod lexer;
mod listen;
#[cfg(test)]
mod tests;

pub use conf::{Conf, Server};
pub use directive::{Item, items};
