//! Output of `explain`.

use serde::Serialize;

use super::paint;
use super::show::Show;
use super::text::{labelled, wrap};
use super::ui::Ui;
use crate::inventory::Key;
use crate::report::{ExitExplanation, ExplainBody, Explanation, RuleExplanation};

impl Show for ExplainBody {
    fn body(&self) -> impl Serialize {
        self
    }

    fn print(&self, ui: &Ui, _: u8) {
        let texts: Vec<String> = self.explanations.iter().map(explanation_text).collect();
        ui.data(&texts.join("\n"));
    }
}

fn explanation_text(explanation: &Explanation) -> String {
    match explanation {
        Explanation::Rule(rule) => rule_text(rule),
        Explanation::ExitCode(exit) => exit_text(exit),
        Explanation::Key(key) => key_text(key),
    }
}

fn rule_text(rule: &RuleExplanation) -> String {
    let mut text = heading(rule.id, &rule.severity.to_string());
    text.push_str(&paragraph(&format!("{}.", rule.title)));
    text.push('\n');
    text.push_str(&paragraph(rule.reason));
    text.push('\n');
    text.push_str(&row("fix:", rule.fix));
    if let Some(why) = rule.why_not_checked {
        let why = format!("hactl cannot violate it: {why}");
        text.push_str(&row("not checked:", &why));
    } else {
        text.push_str(&row("checked by:", &rule.verbs.join(", ")));
        text.push_str(&row("looks at:", &rule.looks_at.join("; ")));
    }
    text
}

fn exit_text(exit: &ExitExplanation) -> String {
    let mut text = heading(&format!("exit code {}", exit.code), exit.meaning);
    text.push_str(&paragraph(&exit.remedy.replace('`', "")));
    text
}

fn key_text(key: &Key) -> String {
    let mut text = heading(&key.path, &plain(&key.type_name));
    text.push_str(&paragraph(&plain(&key.meaning)));
    text.push('\n');
    if !key.default.is_empty() {
        text.push_str(&row("default:", &plain(&key.default)));
    }
    let name = key.path.rsplit('.').next().unwrap_or_default();
    if !key.example.is_empty() {
        text.push_str(&row("example:", &format!("{name}: {}", key.example)));
    }
    if !key.keys.is_empty() {
        text.push_str(&row("keys:", &key.keys.join(", ")));
    }
    text
}

fn heading(name: &str, kind: &str) -> String {
    let used = name.chars().count() + 2;
    let kind = wrap(kind, used, "  ");
    format!("{}  {}\n\n", paint::strong(name), paint::faint(kind))
}

fn paragraph(words: &str) -> String {
    format!("  {}\n", wrap(words, 2, "  "))
}

/// The width of the longest label.
const LABEL: usize = 13;

fn row(label: &str, words: &str) -> String {
    let hanging = " ".repeat(LABEL + 2);
    let label = paint::accent(format!("{label:LABEL$}"));
    format!("  {}", labelled(&label, words, &hanging))
}

/// Without the marks of Markdown: code, and links within the page.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](#") {
            Some((words, after)) if after.contains(')') => {
                plain.push_str(words);
                rest = after.split_once(')').map_or("", |(_, rest)| rest);
            }
            _ => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    #[test]
    fn explanations_as_people_read_them() {
        let key = Key {
            path: "upstreams.NAME.servers".to_owned(),
            type_name: "list of [server](#server)".to_owned(),
            default: "required".to_owned(),
            meaning: "The servers.".to_owned(),
            example: "[192.168.1.10:8080]".to_owned(),
            keys: [
                "address",
                "weight",
                "max_fails",
                "fail_timeout",
                "max_conns",
                "backup",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        let exit = ExitExplanation {
            code: 4,
            meaning: "failed; the cluster was rolled back",
            remedy: "Read the message: `hactl status` says what made the change fail, and what to do about it.",
        };
        let rule = RuleExplanation {
            id: "KA999",
            severity: Severity::Warning,
            verbs: vec!["plan", "apply", "status"],
            title: "The VIP is already in use".to_owned(),
            reason: "Another host answers for it, and keepalived reports nothing of the kind.",
            fix: "choose a free address for the VIP",
            looks_at: vec!["the inventory", "the hosts together"],
            why_not_checked: None,
        };
        let unbroken = RuleExplanation {
            verbs: Vec::new(),
            looks_at: Vec::new(),
            why_not_checked: Some("every file has a new name"),
            ..rule.clone()
        };
        let all = [
            Explanation::Key(key),
            Explanation::ExitCode(exit),
            Explanation::Rule(rule),
            Explanation::Rule(unbroken),
        ];
        let texts: Vec<String> = all.iter().map(explanation_text).collect();
        let text = anstream::adapter::strip_str(&texts.join("\n")).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn marks_of_markdown_are_left_out() {
        assert_eq!(
            plain("list of [vip](#vip), `a: [b]`"),
            "list of vip, a: [b]"
        );
    }
}
