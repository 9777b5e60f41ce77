//! `global_defs`: the defaults for all instances.

use std::net::IpAddr;

use super::block::Statement;

/// `global_defs`, with keepalived's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "keepalived.conf(5) has each under its name")]
pub struct Global {
    pub vrrp_version: u8,
    pub vrrp_strict: bool,
    pub default_interface: String,
    /// `vrrp_mcast_group4` and `vrrp_mcast_group6`.
    pub vrrp_mcast_groups: Vec<IpAddr>,
    pub enable_script_security: bool,
    pub reload_check_config: bool,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            vrrp_version: 2,
            vrrp_strict: false,
            default_interface: "eth0".to_owned(),
            vrrp_mcast_groups: Vec::new(),
            enable_script_security: false,
            reload_check_config: false,
        }
    }
}

impl Global {
    pub(super) fn take(&mut self, block: &Statement) {
        for setting in &block.block {
            match setting.keyword() {
                "vrrp_version" => self.vrrp_version = setting.parsed().unwrap_or(self.vrrp_version),
                "vrrp_strict" => self.vrrp_strict = setting.is_on(),
                "default_interface" => {
                    setting
                        .value()
                        .unwrap_or_default()
                        .clone_into(&mut self.default_interface);
                }
                "vrrp_mcast_group4" | "vrrp_mcast_group6" => {
                    self.vrrp_mcast_groups.extend(setting.parsed::<IpAddr>());
                }
                "enable_script_security" => self.enable_script_security = true,
                "reload_check_config" => self.reload_check_config = true,
                _ => {}
            }
        }
    }
}
