//! A `vrrp_instance`.

use std::net::IpAddr;
use std::time::Duration;

use super::block::Statement;
use super::global::Global;

/// How adverts are authenticated. It contains secrets, so there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// `authentication`.
    Password(Password),
    /// `auth_hmac`: the text of the block.
    Hmac(String),
}

/// VRRPv2's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// `auth_type`.
    pub kind: String,
    /// `auth_pass`, cut to the eight characters that go over the wire.
    pub word: String,
}

/// When it takes over from an owner with a lower priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preemption {
    /// As soon as it receives an advert of lower priority.
    AtOnce,
    /// After `preempt_delay`.
    After(Duration),
    /// `nopreempt`.
    Never,
}

/// A `vrrp_instance`, with keepalived's defaults. It contains secrets, so there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "keepalived.conf(5) has each under its name")]
pub struct Instance {
    pub name: String,
    /// The file that defines it.
    pub file: String,
    pub interface: String,
    pub virtual_router_id: u8,
    /// The VRRP version, which is never 2 for IPv6.
    pub version: u8,
    pub advert_int: Duration,
    pub down_timer_adverts: u32,
    pub priority: u8,
    pub preemption: Preemption,
    pub strict: bool,
    pub auth: Auth,
    /// `unicast_src_ip` or `mcast_src_ip`.
    pub source: Option<IpAddr>,
    pub unicast_peers: Vec<IpAddr>,
    /// `mcast_dst_ip`, or the global group of its family. `None` for VRRP's standard group.
    pub group: Option<IpAddr>,
    /// `virtual_ipaddress`: the VIPs in its adverts.
    pub addresses: Vec<IpAddr>,
    /// `virtual_ipaddress_excluded`: further VIPs.
    pub excluded: Vec<IpAddr>,
    /// The names in `track_script`.
    pub track_scripts: Vec<String>,
    /// False if a part of it is in a missing file.
    pub is_whole: bool,
}

impl Instance {
    /// True if its adverts use IPv6, which the first address decides.
    pub fn is_v6(&self) -> bool {
        self.addresses.first().is_some_and(IpAddr::is_ipv6)
    }

    /// All its VIPs, in adverts or not.
    pub fn vips(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().chain(&self.excluded).copied()
    }

    pub(super) fn read(statement: &Statement, file: &str, global: &Global) -> Self {
        let mut own = Self {
            name: statement.value().unwrap_or_default().to_owned(),
            file: file.to_owned(),
            interface: global.default_interface.clone(),
            virtual_router_id: 0,
            version: global.vrrp_version,
            advert_int: Duration::from_secs(1),
            down_timer_adverts: 3,
            priority: 100,
            preemption: Preemption::AtOnce,
            strict: global.vrrp_strict,
            auth: Auth::None,
            source: None,
            unicast_peers: Vec::new(),
            group: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            track_scripts: Vec::new(),
            is_whole: statement.all().all(|below| !below.is_gap),
        };
        let mut password = Password {
            kind: String::new(),
            word: String::new(),
        };
        for setting in &statement.block {
            own.take(setting, &mut password);
        }
        if own.is_v6() {
            own.version = 3;
        }
        // VRRPv3 ignores passwords. Without `auth_pass` there is no authentication, whatever `auth_type` is.
        let is_set = !password.kind.is_empty() && !password.word.is_empty();
        if own.auth == Auth::None && own.version == 2 && is_set {
            own.auth = Auth::Password(password);
        }
        if own.group.is_none() {
            let of_family = |group: &&IpAddr| group.is_ipv6() == own.is_v6();
            own.group = global.vrrp_mcast_groups.iter().find(of_family).copied();
        }
        own
    }

    fn take(&mut self, setting: &Statement, password: &mut Password) {
        match setting.keyword() {
            "interface" => set(&mut self.interface, setting),
            "virtual_router_id" => set(&mut self.virtual_router_id, setting),
            "version" => set(&mut self.version, setting),
            "advert_int" => self.advert_int = setting.time().unwrap_or(self.advert_int),
            "down_timer_adverts" => set(&mut self.down_timer_adverts, setting),
            "priority" => set(&mut self.priority, setting),
            "nopreempt" => self.preemption = Preemption::Never,
            "preempt_delay" if self.preemption != Preemption::Never => {
                let delay = setting.time().filter(|delay| !delay.is_zero());
                self.preemption = delay.map_or(Preemption::AtOnce, Preemption::After);
            }
            "strict_mode" => self.strict = setting.is_on(),
            "unicast_src_ip" | "mcast_src_ip" => self.source = setting.parsed(),
            "mcast_dst_ip" => self.group = setting.parsed(),
            "unicast_peer" => self.unicast_peers.extend(listed(setting)),
            "virtual_ipaddress" => self.addresses.extend(listed(setting)),
            "virtual_ipaddress_excluded" => self.excluded.extend(listed(setting)),
            "track_script" => {
                let names = setting.block.iter().map(|line| line.keyword().to_owned());
                self.track_scripts.extend(names);
            }
            "auth_hmac" => self.auth = Auth::Hmac(texts(setting)),
            "authentication" => {
                for setting in &setting.block {
                    let value = setting.value().unwrap_or_default();
                    match setting.keyword() {
                        "auth_type" if matches!(value, "PASS" | "AH") => {
                            value.clone_into(&mut password.kind);
                        }
                        "auth_pass" => password.word = value.chars().take(8).collect(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn set<T: std::str::FromStr>(own: &mut T, setting: &Statement) {
    if let Some(value) = setting.parsed() {
        *own = value;
    }
}

/// The addresses in a block, one per line. The rest of each line has parameters of its address.
fn listed(setting: &Statement) -> impl Iterator<Item = IpAddr> {
    let lines = setting.block.iter();
    lines.filter_map(|line| line.keyword().split('/').next()?.parse().ok())
}

fn texts(setting: &Statement) -> String {
    let all = setting.all().map(|one| one.words.join(" "));
    all.collect::<Vec<_>>().join("\n")
}
