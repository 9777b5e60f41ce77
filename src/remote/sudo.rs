//! Becoming root by sudo: where its password comes from, how it gets there, and what sudo's refusals
//! mean.
//!
//! The password is written to sudo's standard input when sudo asks for it, and at no other time: where
//! none is needed none is sent, and no program on the host ever finds it on its own input.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;

/// What sudo is told to ask with. It has no `%`, which sudo would expand.
const PROMPT: &str = "hactl-asks-for-the-sudo-password:";

/// Refuses to ask: for hosts where no password is known.
pub(super) const QUIET: &[&str] = &["env", "LC_ALL=C", "sudo", "-n", "--"];

/// Asks on standard error and reads from standard input; keeps no credentials on the host (`-k`).
pub(super) const ASKING: &[&str] = &["env", "LC_ALL=C", "sudo", "-k", "-S", "-p", PROMPT, "--"];

/// The most of standard error that is kept while waiting for the program to begin: sudo's lecture, a
/// banner, and a prompt fit many times.
const PREAMBLE_LIMIT: usize = 64 * 1024;

/// Finds out the password, or says why it cannot.
pub type PasswordSource = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// sudo's password, found out once: when the first host needs it, or at the first connection.
#[derive(Clone)]
pub struct SudoPassword {
    source: Arc<PasswordSource>,
    is_certain: bool,
    value: Arc<OnceCell<Result<SecretString, String>>>,
}

impl fmt::Debug for SudoPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SudoPassword")
    }
}

impl SudoPassword {
    /// `source` is asked when a host turns out to need it.
    pub fn on_demand(
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Arc::new(source),
            is_certain: false,
            value: Arc::default(),
        }
    }

    /// The user says that hosts need it: `source` is asked before sudo is.
    pub fn certain(
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            is_certain: true,
            ..Self::on_demand(source)
        }
    }

    /// The password, if it is to be used without sudo having asked.
    pub(super) async fn ready(&self) -> Option<Result<SecretString, String>> {
        if self.is_certain {
            return Some(self.get().await);
        }
        self.value.get().cloned()
    }

    /// The password. Several hosts may need it at a time; the user is asked once.
    pub(super) async fn get(&self) -> Result<SecretString, String> {
        let source = Arc::clone(&self.source);
        let ask = || async move {
            // A person may think about it for longer than anything else here may wait.
            let asked = tokio::task::spawn_blocking(move || source()).await;
            let password = asked.unwrap_or_else(|_| Err("it was not asked for".to_owned()))?;
            if password.expose_secret().ends_with('\r') && !password.expose_secret().contains('\n')
            {
                return Err(
                    "its line ends with a carriage return: save it with Unix line ends".to_owned(),
                );
            }
            if password.expose_secret().contains(['\n', '\r', '\0']) {
                // What follows the first line would reach the program, as its text.
                return Err("it has more than one line".to_owned());
            }
            Ok(password)
        };
        self.value.get_or_init(ask).await.clone()
    }
}

/// Why sudo did not run the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SudoRefusal {
    /// It wants a password and was given none.
    PasswordNeeded,
    /// It does not take the password.
    WrongPassword,
    /// sudoers does not let this user run the program.
    NotAllowed,
    /// sudoers has `requiretty`.
    NeedsTerminal,
    /// It is not installed.
    Missing,
    /// Anything else: a broken sudoers, an account that has expired.
    Other,
}

impl SudoRefusal {
    /// What `stderr` says, in the words of the locale C; `None` if sudo is not the matter.
    pub fn of(stderr: &str) -> Option<Self> {
        let says = |words: &[&str]| words.iter().any(|words| stderr.contains(words));
        if says(&[
            "sudo: not found",
            "sudo: command not found",
            "sudo': No such file",
            "sudo: No such file",
        ]) {
            Some(Self::Missing)
        } else if says(&["must have a tty"]) {
            Some(Self::NeedsTerminal)
        } else if says(&[
            "not in the sudoers",
            "is not allowed to",
            "may not run sudo",
        ]) {
            Some(Self::NotAllowed)
        } else if says(&[
            "incorrect password attempt",
            "try again",
            "no password was provided",
        ]) {
            Some(Self::WrongPassword)
        } else if says(&[
            "password is required",
            "terminal is required",
            "authentication is required",
        ]) {
            Some(Self::PasswordNeeded)
        } else if says(&["sudo"]) {
            Some(Self::Other)
        } else {
            None
        }
    }

    /// In a few words; `None` where sudo's own say more.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::PasswordNeeded => Some("sudo asks for a password"),
            Self::WrongPassword => Some("sudo does not take the password; it was tried once"),
            Self::NotAllowed => Some("sudoers does not let the login user run hactl's program"),
            Self::NeedsTerminal => {
                Some("sudoers wants a terminal (requiretty), and hactl has none there")
            }
            Self::Missing => Some("there is no sudo on the host"),
            Self::Other => None,
        }
    }

    /// What the user can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::PasswordNeeded => {
                "run hactl on a terminal to be asked for it, give --sudo-password-file FILE, or let the login user run sudo without a password; docs/security.md has the line for sudoers"
            }
            Self::WrongPassword => {
                "type it again, or correct the file of --sudo-password-file; it is the login user's own password on that host"
            }
            Self::NotAllowed => "add the login user to sudoers: docs/security.md has the line",
            Self::NeedsTerminal => {
                "add `Defaults:USER !requiretty` to sudoers, with the login user's name"
            }
            Self::Missing => "install sudo there, or log in as root (ssh.user: root)",
            Self::Other => "see that `ssh -t HOST sudo true` works; the words above are sudo's",
        }
    }
}

/// Speaks with sudo until the program has begun, which `ready` on standard error tells, or sudo has
/// given up. True, with what else was said, when the program reads its own input now.
pub(super) async fn let_in(
    stdin: &mut (impl AsyncWrite + Unpin),
    stderr: &mut (impl AsyncRead + Unpin),
    password: &SecretString,
    ready: &str,
) -> std::io::Result<(bool, Vec<u8>)> {
    let (mut said, mut answered, mut from) = (Vec::new(), false, 0);
    loop {
        if stderr.read_buf(&mut said).await? == 0 || said.len() > PREAMBLE_LIMIT {
            return Ok((false, said));
        }
        let text = String::from_utf8_lossy(&said[from..]).into_owned();
        if text.lines().any(|line| line.ends_with(ready)) && text.contains(&format!("{ready}\n")) {
            return Ok((true, said));
        }
        if !is_prompt(&text) {
            continue;
        }
        if answered {
            // It did not take it. Once is enough: more would lock accounts.
            return Ok((false, said));
        }
        stdin.write_all(password.expose_secret().as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await?;
        (answered, from) = (true, said.len());
    }
}

/// Whether the last thing said is a question for a password: hactl's own prompt, or one that PAM insists
/// on.
fn is_prompt(text: &str) -> bool {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let own = last.contains(PROMPT);
    own || (last.trim_end().ends_with(':') && last.to_ascii_lowercase().contains("password"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufReader, duplex};

    const READY: &str = "ready";

    /// Plays a host: says each text in turn, and between two of them expects a line.
    async fn played(texts: &'static [&'static str]) -> (bool, Vec<String>, String) {
        let (mut stdin, typed) = duplex(1024);
        let (mut says, mut stderr) = duplex(1024);
        let host = async move {
            let (mut typed, mut lines) = (BufReader::new(typed), Vec::new());
            for (index, text) in texts.iter().enumerate() {
                if index > 0 {
                    let mut line = String::new();
                    typed.read_line(&mut line).await.unwrap();
                    lines.push(line);
                }
                says.write_all(text.as_bytes()).await.unwrap();
            }
            drop(says);
            let mut rest = String::new();
            typed.read_to_string(&mut rest).await.unwrap();
            lines.push(rest);
            lines
        };
        let password = SecretString::from("hunter2");
        let us = async move {
            let said = let_in(&mut stdin, &mut stderr, &password, READY).await;
            drop(stdin);
            said.unwrap()
        };
        let (lines, (begun, said)) = tokio::join!(host, us);
        (begun, lines, String::from_utf8(said).unwrap())
    }

    #[tokio::test]
    async fn a_password_is_sent_when_it_is_asked_for_and_at_no_other_time() {
        let (begun, lines, _) = played(&["ready\n"]).await;
        assert!(begun);
        assert_eq!(lines, [""], "nothing was sent");
        let (begun, lines, said) = played(&[
            "We trust you have received the usual lecture:\n    #1) Respect.\n\nhactl-asks-for-the-sudo-password:",
            "ready\n",
        ])
        .await;
        assert!(begun, "{said}");
        assert_eq!(lines, ["hunter2\n", ""]);
        let (begun, lines, _) = played(&["LDAP Password for deploy: ", "ready\n"]).await;
        assert!(begun);
        assert_eq!(lines, ["hunter2\n", ""]);
    }

    #[tokio::test]
    async fn a_wrong_password_is_tried_once() {
        let (begun, lines, said) = played(&[
            "hactl-asks-for-the-sudo-password:",
            "Sorry, try again.\nhactl-asks-for-the-sudo-password:",
        ])
        .await;
        assert!(!begun);
        assert_eq!(lines, ["hunter2\n", ""]);
        assert_eq!(SudoRefusal::of(&said), Some(SudoRefusal::WrongPassword));
    }

    #[tokio::test]
    async fn what_is_no_question_is_not_answered() {
        for text in [
            "sudo: a password is required\n",
            "Your password will expire in 3 days.\n",
            "",
        ] {
            let texts: &'static [&'static str] = Vec::leak(vec![text]);
            let (begun, lines, _) = played(texts).await;
            assert!(!begun);
            assert_eq!(lines, [""], "{text}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        for (words, refusal) in [
            ("sudo: a password is required", SudoRefusal::PasswordNeeded),
            (
                "sudo: sorry, you must have a tty to run sudo",
                SudoRefusal::NeedsTerminal,
            ),
            (
                "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt",
                SudoRefusal::WrongPassword,
            ),
            (
                "deploy is not in the sudoers file.\nThis incident has been reported to the administrator.",
                SudoRefusal::NotAllowed,
            ),
            (
                "Sorry, user deploy is not allowed to execute '/bin/sh' as root on lb1.",
                SudoRefusal::NotAllowed,
            ),
            (
                "env: 'sudo': No such file or directory",
                SudoRefusal::Missing,
            ),
            (
                "bash: line 1: sudo: command not found",
                SudoRefusal::Missing,
            ),
            ("sudo: /etc/sudoers is world writable", SudoRefusal::Other),
        ] {
            assert_eq!(SudoRefusal::of(words), Some(refusal), "{words}");
        }
        assert_eq!(SudoRefusal::of("bash: syntax error"), None);
    }
}
