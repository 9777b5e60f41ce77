//! Gaining root with sudo: the source of the password, how it is sent, and the meaning of sudo's
//! refusals.
//!
//! The password is written to sudo's standard input only when sudo prompts for it. It is not sent
//! unless needed, and no program on the host can read it from its own input.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;

/// The prompt that sudo prints. It contains no `%`, which sudo would expand.
const PROMPT: &str = "hactl-asks-for-the-sudo-password:";

/// Never prompts (`-n`): for when no password is known.
pub(super) const QUIET: &[&str] = &["env", "LC_ALL=C", "sudo", "-n", "--"];

/// Prompts on standard error, reads from standard input, and caches no credentials on the host
/// (`-k`).
pub(super) const ASKING: &[&str] = &["env", "LC_ALL=C", "sudo", "-k", "-S", "-p", PROMPT, "--"];

/// The most standard error kept while waiting for the program to start: many times the length of
/// sudo's lecture, a banner and a prompt.
const PREAMBLE_LIMIT: usize = 64 * 1024;

/// Gets the password, or says why it cannot.
pub type PasswordSource = dyn Fn() -> Result<SecretString, String> + Send + Sync;

/// sudo's password, obtained at most once: on demand, or before the first call.
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
    /// Asks `source` when the first host needs the password.
    pub fn on_demand(
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Arc::new(source),
            is_certain: false,
            value: Arc::default(),
        }
    }

    /// Asks `source` before running sudo at all, since the operator says that the hosts need a
    /// password.
    pub fn certain(
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            is_certain: true,
            ..Self::on_demand(source)
        }
    }

    /// The password, if it can be used before sudo has prompted.
    pub(super) async fn ready(&self) -> Option<Result<SecretString, String>> {
        if self.is_certain {
            return Some(self.get().await);
        }
        self.value.get().cloned()
    }

    /// The password. Even if several hosts need it at once, the operator is asked only once.
    pub(super) async fn get(&self) -> Result<SecretString, String> {
        let source = Arc::clone(&self.source);
        let ask = || async move {
            // The operator may take longer to answer than a worker thread may block.
            let asked = tokio::task::spawn_blocking(move || source()).await;
            let password = asked.unwrap_or_else(|_| Err("it was not asked for".to_owned()))?;
            if password.expose_secret().ends_with('\r') && !password.expose_secret().contains('\n')
            {
                return Err(
                    "its line ends with a carriage return: save it with Unix line ends".to_owned(),
                );
            }
            if password.expose_secret().contains(['\n', '\r', '\0']) {
                // Anything after the first line would reach the program as its input.
                return Err("it has more than one line".to_owned());
            }
            Ok(password)
        };
        self.value.get_or_init(ask).await.clone()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SudoRefusal {
    /// It needs a password but was given none.
    PasswordNeeded,
    /// It rejected the password.
    WrongPassword,
    /// sudoers does not allow this user to run the program.
    NotAllowed,
    /// sudoers sets `requiretty`.
    NeedsTerminal,
    /// It is not installed.
    Missing,
    /// Any other error, such as a broken sudoers or an expired account.
    Other,
}

impl SudoRefusal {
    /// Classifies `stderr`, in sudo's wording in the C locale. `None` if it is not about sudo.
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

    /// A short description. `None` where sudo's own message says more.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::PasswordNeeded => Some("sudo asks for a password"),
            Self::WrongPassword => Some("sudo rejected the password, which was tried once"),
            Self::NotAllowed => Some("sudoers does not let the login user run hactl's program"),
            Self::NeedsTerminal => {
                Some("sudoers wants a terminal (requiretty), and hactl has none there")
            }
            Self::Missing => Some("there is no sudo on the host"),
            Self::Other => None,
        }
    }

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
            Self::Other => {
                "check that `ssh -t HOST sudo true` works; the message above is sudo's own"
            }
        }
    }
}

/// Talks to sudo until the program starts, as `ready` on standard error tells, or sudo gives up.
/// Returns whether the program is now reading its input, and everything else on standard error.
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
            // The password was rejected. Another attempt could lock the account.
            return Ok((false, said));
        }
        stdin.write_all(password.expose_secret().as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await?;
        (answered, from) = (true, said.len());
    }
}

/// Whether the output ends with a password prompt: hactl's own, or one that PAM imposes.
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

    /// Plays a host: prints the texts in order, and reads a line between each two.
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
