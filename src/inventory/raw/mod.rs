//! What was typed: a tree in which every value has a place, and the declared shape of an inventory.
//!
//! Each mapping is declared once, by `shape!`. The decoder that finds all errors, the JSON Schema and the reference
//! page are derived from that declaration. What a default *means* in combination with other values is not known
//! here: see [`super::resolve`].

mod cluster_keys;
mod collections;
mod decode;
mod forms;
mod guard;
mod nginx_keys;
mod parse;
mod scalars;
mod shape;
mod suggest;
mod syntax;
mod tree;
mod words;

pub(super) use cluster_keys::{
    ClusterKeys, DrillKeys, HealthKeys, NodeKeys, NotifyKeys, RawKeys, RouteKeys, SshKeys, VipKeys,
    VrrpKeys,
};
pub(super) use collections::{List, Pairs};
pub(super) use decode::{Keys, Presence, Spanned, Value};
pub(super) use forms::{Socket, TlsFile};
pub(super) use guard::{decode as guard, likely_secrets};
pub(super) use nginx_keys::{
    LocationKeys, NginxKeys, RedirectKeys, ReturnKeys, ServerKeys, SiteKeys, StreamKeys, TlsKeys,
    UpstreamKeys,
};
pub(super) use parse::parse;
pub(super) use scalars::Time;
pub(super) use shape::{Described, Typed};
pub(super) use suggest::nearest;
pub(super) use tree::Node;
pub(super) use words::{Line, Setting, VirtualIp};
