//! The records that the host's program answers with.
//!
//! A host may be compromised: whatever it sends, reading it neither panics nor lets a control
//! character through.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{clipped, harmless};

/// The most records of an answer: every file and every setting of the largest cluster, many times over.
const MAX_RECORDS: usize = 50_000;
/// The most fields of a record; none has more than eight.
const MAX_FIELDS: usize = 16;
/// The most characters of a field. The longest are the kernel's settings and paths.
const MAX_FIELD: usize = 4096;
/// The most characters of another program's words.
const MAX_WORDS: usize = 32 * 1024;

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

    /// The body as another program's words, which is shown.
    pub(crate) fn words(&self) -> String {
        clipped(&self.body_text(), MAX_WORDS)
    }
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
    #[error("it has more than {MAX_RECORDS} records")]
    TooManyRecords,
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
        let mut fields = line
            .splitn(MAX_FIELDS, '\t')
            .map(|field| clipped(&harmless(&clipped(field, MAX_FIELD)), MAX_FIELD));
        let tag = fields.next().unwrap_or_default();
        if tag == "end" {
            return Ok(records);
        }
        if records.len() == MAX_RECORDS {
            return Err(ReplyError::TooManyRecords);
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

    #[test]
    fn an_answer_of_very_many_records_or_fields_is_bounded() {
        let records = format!("hactl-agent\t1\n{}end\n", "x\n".repeat(MAX_RECORDS + 1));
        assert_eq!(parse(records.as_bytes()), Err(ReplyError::TooManyRecords));
        let wide = format!(
            "hactl-agent\t1\n{}\n{}\nend\n",
            "\t".repeat(1_000_000),
            "\u{1b}".repeat(1_000_000)
        );
        let records = parse(wide.as_bytes()).unwrap();
        assert!(records[0].fields.len() < MAX_FIELDS);
        assert!(records[1].tag.len() <= MAX_FIELD + 3);
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
                    let is_harmful = texts.any(|text| text.chars().any(crate::model::is_harmful));
                    prop_assert!(!is_harmful);
                }
            }
        }
    }
}
