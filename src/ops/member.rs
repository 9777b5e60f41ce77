//! Nodes of the newest generation that the inventory no longer lists: data and messages.

use std::net::IpAddr;

/// A node of the newest generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub struct Member {
    /// Its name. `None` if only its address was recorded.
    pub name: Option<String>,
    /// Its address.
    pub address: IpAddr,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

impl Member {
    /// Its name for the user.
    pub fn called(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| self.address.to_string())
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || self.address.to_string() == name
    }
}

/// A member that the inventory does not list, and how it responds on the network.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Missing {
    /// The member.
    pub member: Member,
    /// True if a host answers at its address.
    pub answers: bool,
    /// VIPs that it answers for.
    pub holds: Vec<IpAddr>,
    /// True if it still hears the other nodes, since all use multicast.
    pub hears: bool,
}

/// Why a node to be forgotten could still become a second owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StillThere {
    /// It holds a VIP.
    #[error("it has {0}")]
    Holds(IpAddr),
    /// Its keepalived runs with VIPs of the cluster, or does not say with which.
    #[error("its keepalived runs")]
    Runs,
    /// Its keepalived starts again at the next boot.
    #[error("its keepalived is stopped and starts again with the machine")]
    Starts,
}

/// The message that the inventory no longer lists them.
pub(super) fn missing_words(missing: &[Missing]) -> String {
    format!(
        "the inventory no longer has {}, of the last generation",
        name_all(missing)
    )
}

fn name_all(missing: &[Missing]) -> String {
    let names: Vec<String> = missing.iter().map(|one| one.member.to_string()).collect();
    names.join(", ")
}

/// What members without peers would do, and how to take them out. `then` says what to do with the option.
pub(super) fn how_to_take_out(missing: &[Missing], then: &str) -> String {
    let seen = |one: &Missing| {
        let name = one.member.called();
        let vips: Vec<String> = one.holds.iter().map(ToString::to_string).collect();
        match (vips.is_empty(), one.answers) {
            (false, _) => format!("{name} owns {} now. ", vips.join(", ")),
            (true, true) => format!("{name} still answers. "),
            (true, false) => String::new(),
        }
    };
    let seen: String = missing.iter().map(seen).collect();
    let names: Vec<String> = missing.iter().map(|one| one.member.called()).collect();
    let forget: Vec<String> = names
        .iter()
        .map(|name| format!("--forget {name}"))
        .collect();
    let what = if missing.iter().all(|one| one.hears) {
        "would keep taking part in the election of the virtual IP, with a configuration that nobody updates any more"
    } else {
        "would keep contending for the virtual IP without hearing the others: two owners"
    };
    format!(
        "{} {what}. {seen}Stop it by hand (`systemctl disable --now keepalived nginx`), or make sure that it stays \
         off; then {then} `{}`",
        names.join(", "),
        forget.join(" ")
    )
}
