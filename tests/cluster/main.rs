//! hactl on real machines: the actual binary, judged by the state of a lab's nodes as seen from
//! outside. One theme per module, in one binary, so that labs of several themes run in parallel.
#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "../support/load.rs"]
mod clients;
#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/dns.rs"]
mod dns;
#[path = "../support/documents.rs"]
mod documents;
#[path = "../support/lab.rs"]
mod lab;
#[path = "../support/snapshot.rs"]
mod snapshot;

mod able;
mod agreement;
mod alone;
mod atomic;
mod bare;
mod beside;
mod confirm;
mod demo;
mod drift;
mod drills;
mod false_takeovers;
mod hand_over;
mod heal;
mod installed;
mod load;
mod long_lived;
mod names;
mod outside;
mod overload;
mod plan_file;
mod poison;
mod prefix;
mod preflight;
mod recovery;
mod refused;
mod releases;
mod rules;
mod security;
mod serving;
mod shapes;
mod spread;
mod stranger;
mod switch;
mod tabs;
mod trouble;
mod unreached;
mod verbatim;
