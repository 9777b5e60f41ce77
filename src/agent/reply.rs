//! Records: the answers of the host's program.
//!
//! A host may be compromised. Whatever it sends, parsing neither panics nor lets a control
//! character through.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{clipped, harmless};

/// The most records in an answer, many times what the largest cluster needs.
const MAX_RECORDS: usize = 50_000;
/// The most fields in a record. None has more than eight.
const MAX_FIELDS: usize = 16;
/// The most characters in a field. The longest are sysctls and paths.
const MAX_FIELD: usize = 4096;
/// The most characters of another program's output.
const MAX_WORDS: usize = 32 * 1024;

/// One record: a tag, its fields and perhaps a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) tag: String,
    pub(crate) fields: Vec<String>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Record {
    /// Field `index`, or an empty string if it is missing or `-`.
    pub(crate) fn field(&self, index: usize) -> &str {
        self.fields
            .get(index)
            .map_or("", |field| if field == "-" { "" } else { field })
    }

    /// The body as text, with terminal control characters escaped.
    pub(crate) fn body_text(&self) -> String {
        harmless(&String::from_utf8_lossy(
            self.body.as_deref().unwrap_or_default(),
        ))
    }

    /// The body as another program's output, truncated for display.
    pub(crate) fn words(&self) -> String {
        clipped(&self.body_text(), MAX_WORDS)
    }
}

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

/// Parses an answer, from the greeting (login scripts may print before it) to the `end` record.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Record>, ReplyError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| *line != "hactl-agent\t1");
    lines.next().ok_or(ReplyError::NoGreeting)?;
    let mut records: Vec<Record> = Vec::new();
    let mut shared = SharedBodies::default();
    for line in lines {
        if let Some(body) = line.strip_prefix(' ') {
            let last = records.len().checked_sub(1);
            let last = last.ok_or(ReplyError::DamagedBody)?;
            if let Some(number) = body.strip_prefix('=') {
                let number = number.parse().map_err(|_| ReplyError::DamagedBody)?;
                shared.wanted.push((last, number));
            } else {
                records[last].body = Some(decoded(body)?);
            }
            continue;
        }
        let mut fields = line
            .splitn(MAX_FIELDS, '\t')
            .map(|field| clipped(&harmless(&clipped(field, MAX_FIELD)), MAX_FIELD));
        let tag = fields.next().unwrap_or_default();
        if tag == "end" {
            shared.hand_out(&mut records)?;
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

fn decoded(body: &str) -> Result<Vec<u8>, ReplyError> {
    STANDARD
        .decode(body.trim())
        .map_err(|_| ReplyError::DamagedBody)
}

/// Bodies that the host sends together, because encoding each alone would take it a process: a record says ` =N` for
/// its body, and the `bodies` records hold them in their order, after a line of their sizes.
#[derive(Default)]
struct SharedBodies {
    /// The index of a record, and the number of its body.
    wanted: Vec<(usize, usize)>,
}

impl SharedBodies {
    /// Gives each record its body, and removes the `bodies` records.
    fn hand_out(self, records: &mut Vec<Record>) -> Result<(), ReplyError> {
        let sent = records.iter_mut().filter(|record| record.tag == "bodies");
        let sent: Vec<_> = sent.filter_map(|record| record.body.take()).collect();
        let mut bodies = Vec::new();
        for together in &sent {
            bodies.extend(split(together)?);
        }
        // Two records may share a body; many that share a large one are no host's of ours.
        let mut left = 4 * sent.iter().map(Vec::len).sum::<usize>();
        for (record, number) in self.wanted {
            let body = bodies.get(number).ok_or(ReplyError::DamagedBody)?;
            left = left
                .checked_sub(body.len())
                .ok_or(ReplyError::DamagedBody)?;
            records[record].body = Some(body.to_vec());
        }
        records.retain(|record| record.tag != "bodies");
        Ok(())
    }
}

/// Takes apart what a `bodies` record holds.
fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, ReplyError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (sizes, rest) = bytes.split_at(end.ok_or(ReplyError::DamagedBody)?);
    let sizes = std::str::from_utf8(sizes).map_err(|_| ReplyError::DamagedBody)?;
    let mut rest = &rest[1..];
    let mut bodies = Vec::new();
    for size in sizes.split_whitespace() {
        let size = size.parse().map_err(|_| ReplyError::DamagedBody)?;
        let body = rest.split_at_checked(size).ok_or(ReplyError::DamagedBody)?;
        bodies.push(body.0);
        rest = body.1;
    }
    if rest.is_empty() {
        Ok(bodies)
    } else {
        Err(ReplyError::DamagedBody)
    }
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
    fn records_get_the_bodies_that_were_sent_together() {
        // `2 0 3\nab` + `c=d`, and `1\n!`.
        let answer = b"hactl-agent\t1\nfile\t/x\n =2\nfile\t/y\n =0\nbodies\n MiAwIDMKYWJjPWQ=\nlast\n =3\nbodies\n MQoh\nend\n";
        let records = parse(answer).unwrap();
        let bodies: Vec<_> = records.iter().map(Record::body_text).collect();
        assert_eq!(bodies, ["c=d", "ab", "!"]);
    }

    #[test]
    fn bodies_that_do_not_fit_their_sizes_are_damaged() {
        for sent in [
            "file\n =0\nend\n",                    // none at all
            "file\n =1\nbodies\n MQoh\nend\n",     // one too few
            "file\n =0\nbodies\n Mgoh\nend\n",     // `2\n!`
            "file\n =0\nbodies\n MAoh\nend\n",     // `0\n!`
            "file\n =0\nbodies\n IQ==\nend\n",     // `!`
            "file\n =0\nbodies\n LTEKIQ==\nend\n", // `-1\n!`
            "file\n =x\nbodies\n MQoh\nend\n",
            " =0\nbodies\n MQoh\nend\n",
        ] {
            let answer = format!("hactl-agent\t1\n{sent}");
            assert_eq!(
                parse(answer.as_bytes()),
                Err(ReplyError::DamagedBody),
                "{sent}"
            );
        }
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
