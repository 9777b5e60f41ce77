//! The files of a configuration by path, and the patterns of include directives.

use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct File<'a> {
    pub text: Cow<'a, str>,
    /// True for an unmodified file of a package.
    pub is_packaged: bool,
}

/// Files by path. They contain secrets, so there is no `Debug`.
#[derive(Clone, Default)]
pub struct Files<'a>(BTreeMap<Cow<'a, str>, File<'a>>);

impl<'a> Files<'a> {
    /// A single file. The files that it includes are missing.
    pub fn single(path: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        let mut files = Self::default();
        files.insert(path, text, false);
        files
    }

    /// Adds a file, or replaces the one with the same path.
    pub fn insert(
        &mut self,
        path: impl Into<Cow<'a, str>>,
        text: impl Into<Cow<'a, str>>,
        is_packaged: bool,
    ) {
        let text = text.into();
        self.0.insert(path.into(), File { text, is_packaged });
    }

    pub fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// Maximum number of bytes that a reader reads in total: a file may be included repeatedly, even by itself.
    pub(super) fn budget(&self) -> usize {
        const REPEATED: usize = 4 << 20;
        let own: usize = self.0.values().map(|file| file.text.len()).sum();
        own + REPEATED
    }

    pub(super) fn get(&self, path: &str) -> Option<&File<'a>> {
        self.0.get(path)
    }

    /// The paths that match the pattern of an include. Relative patterns are relative to `dir`.
    pub(super) fn matching(&self, pattern: &str, dir: &str) -> Vec<&str> {
        let pattern = if pattern.starts_with('/') {
            pattern.to_owned()
        } else {
            format!("{dir}/{pattern}")
        };
        let paths = self.0.keys().map(AsRef::as_ref);
        paths.filter(|path: &&str| glob(&pattern, path)).collect()
    }
}

/// glob(7), per path component: `*` and `?` match neither a slash nor a leading dot.
fn glob(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) => {
                let is_hidden = name.starts_with('.') && !pattern.starts_with('.');
                let (pattern, name): (Vec<char>, Vec<char>) =
                    (pattern.chars().collect(), name.chars().collect());
                if is_hidden || !component(&pattern, &name) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// Matches one component, in time proportional to the product of both lengths.
fn component(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match one(&pattern[at..], name[seen]) {
            Some(taken) => {
                at += taken;
                seen += 1;
            }
            None if pattern.get(at) == Some(&'*') => {
                at += 1;
                last_star = Some((at, seen));
            }
            None => match last_star {
                Some((after, from)) => {
                    last_star = Some((after, from + 1));
                    (at, seen) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// How many characters of the pattern match `c`. `None` if it does not match, or if a `*` comes first.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        [] | ['*', ..] => None,
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', rest @ ..] => {
            let Some(end) = rest.iter().skip(1).position(|c| *c == ']').map(|at| at + 1) else {
                return (c == '[').then_some(1);
            };
            let (is_not, set) = match &rest[..end] {
                ['!' | '^', set @ ..] => (true, set),
                set => (false, set),
            };
            (in_set(set, c) != is_not).then_some(end + 2)
        }
        [own, ..] => (*own == c).then_some(1),
    }
}

fn in_set(set: &[char], c: char) -> bool {
    match set {
        [] => false,
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || in_set(rest, c),
        [own, rest @ ..] => *own == c || in_set(rest, c),
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns_as_glob_7_has_them() {
        for (pattern, path, matches) in [
            (
                "/etc/nginx/sites-enabled/*",
                "/etc/nginx/sites-enabled/a",
                true,
            ),
            (
                "/etc/nginx/sites-enabled/*",
                "/etc/nginx/sites-enabled/.a",
                false,
            ),
            ("/etc/nginx/*.conf", "/etc/nginx/conf.d/a.conf", false),
            ("/etc/nginx/*/a.conf", "/etc/nginx/conf.d/a.conf", true),
            ("/a/*b*c", "/a/xxbbxcbc", true),
            ("/a/*b*c", "/a/xxbbxcb", false),
            ("/a/[0-4]?.conf", "/a/35.conf", true),
            ("/a/[!0-4]?.conf", "/a/35.conf", false),
            ("/a/[x", "/a/[x", true),
            ("/a/b", "/a/b/c", false),
        ] {
            assert_eq!(glob(pattern, path), matches, "{pattern} {path}");
        }
    }
}
