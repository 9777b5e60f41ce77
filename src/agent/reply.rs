//! The records that the host's program answers with.
//!
//! A host may be compromised: whatever it sends, reading it neither panics nor lets a control
//! character through.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One record: a tag, its fields and perhaps a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) tag: String,
    pub(crate) fields: Vec<String>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Record {
    /// Field `index`, or an empty text.
    pub(crate) fn field(&self, index: usize) -> &str {
        self.fields
            .get(index)
            .map_or("", |field| if field == "-" { "" } else { field })
    }

    /// The body as text, with anything that a terminal would obey made harmless.
    pub(crate) fn body_text(&self) -> String {
        harmless(&String::from_utf8_lossy(
            self.body.as_deref().unwrap_or_default(),
        ))
    }
}

/// Replaces control characters but for newline and tab.
pub(crate) fn harmless(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if is_harmful(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error("it does not start with the program's greeting")]
    NoGreeting,
    #[error("it is cut short")]
    Truncated,
    #[error("a record's body is damaged")]
    DamagedBody,
}

/// Reads an answer: from the greeting (login scripts may print before it) to the `end` record.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Record>, ReplyError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| *line != "hactl-agent\t1");
    lines.next().ok_or(ReplyError::NoGreeting)?;
    let mut records: Vec<Record> = Vec::new();
    for line in lines {
        if let Some(encoded) = line.strip_prefix(' ') {
            let body = STANDARD
                .decode(encoded.trim())
                .map_err(|_| ReplyError::DamagedBody)?;
            records.last_mut().ok_or(ReplyError::DamagedBody)?.body = Some(body);
            continue;
        }
        let mut fields = line.split('\t').map(harmless);
        let tag = fields.next().unwrap_or_default();
        if tag == "end" {
            return Ok(records);
        }
        records.push(Record {
            tag,
            fields: fields.collect(),
            body: None,
        });
    }
    Err(ReplyError::Truncated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_and_bodies() {
        let answer = b"motd\nhactl-agent\t1\nos\tdebian\t12\t-\nfile\t/x\n aGk=\nend\n";
        let records = parse(answer).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].field(0), "debian");
        assert_eq!(records[0].field(2), "");
        assert_eq!(records[1].body.as_deref(), Some(&b"hi"[..]));
    }

    #[test]
    fn bad_answers_are_told_apart() {
        assert_eq!(parse(b"hello\n"), Err(ReplyError::NoGreeting));
        assert_eq!(
            parse(b"hactl-agent\t1\nos\tdebian\n"),
            Err(ReplyError::Truncated)
        );
        assert_eq!(
            parse(b"hactl-agent\t1\n aGk=\nend\n"),
            Err(ReplyError::DamagedBody)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_pass_an_escape(noise in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut answer = b"hactl-agent\t1\n".to_vec();
            answer.extend(noise);
            answer.extend(b"\nend\n");
            if let Ok(records) = parse(&answer) {
                for record in records {
                    let mut texts = record.fields.iter().chain([&record.tag]);
                    let has_escape = texts.any(|text| text.contains('\u{1b}'));
                    prop_assert!(!has_escape);
                }
            }
        }
    }
}
