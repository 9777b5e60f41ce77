use std::fmt;
use std::str::FromStr;

/// A dotted version such as keepalived's `2.2.7` or nginx's `1.22.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, schemars::JsonSchema)]
#[schemars(from = "String", into = "String")]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    /// 0 if there is no third number.
    pub patch: u32,
}

impl Version {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version: expected numbers separated by dots, such as 2.2.7")]
pub struct InvalidVersion;

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let text = text.trim().trim_start_matches('v');
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let mut parts = text[..end].split('.').map(str::parse::<u32>);
        let mut next = || parts.next().transpose().map_err(|_| InvalidVersion);
        let major = next()?.ok_or(InvalidVersion)?;
        Ok(Self {
            major,
            minor: next()?.unwrap_or(0),
            patch: next()?.unwrap_or(0),
        })
    }
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        for (text, expected) in [
            ("2.2.7", Version::new(2, 2, 7)),
            ("v2.2.7", Version::new(2, 2, 7)),
            ("1.22.1 (Ubuntu)", Version::new(1, 22, 1)),
            ("1:2.2.7-1+b2", Version::new(1, 0, 0)),
            ("2.3", Version::new(2, 3, 0)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!("none".parse::<Version>(), Err(InvalidVersion));
    }
}
