//! Loads a cluster from the text of a file.

use super::error::{Diagnostic, Diagnostics, InventoryErrors};
use super::raw::{self, ClusterKeys, Value};
use super::resolve;
use super::source::Source;
use crate::model::{Cluster, Failover, InventoryPath};

/// A valid inventory: the cluster that it describes, and its text.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The cluster that it describes.
    pub cluster: Cluster,
    /// Its text, with the places of all values.
    pub source: Source,
}

/// Loads an inventory from `text`. `file_name` is for messages.
pub fn load(file_name: &str, text: &str) -> Result<Inventory, InventoryErrors> {
    load_bytes(file_name, text.as_bytes())
}

/// Loads an inventory from arbitrary `bytes`. The default failover profile is `fast`, since no host is known yet
/// that does not support it.
pub fn load_bytes(file_name: &str, bytes: &[u8]) -> Result<Inventory, InventoryErrors> {
    load_with_profile(file_name, bytes, Failover::Fast)
}

/// The same with another default failover profile.
pub fn load_with_profile(
    file_name: &str,
    bytes: &[u8],
    profile: Failover,
) -> Result<Inventory, InventoryErrors> {
    let mut faults = Diagnostics::default();
    let text = match raw::guard(bytes) {
        Ok(text) => text,
        Err((shown, fault)) => {
            faults.add(fault);
            return Err(faults.into_errors(Source::new(file_name, shown)));
        }
    };
    let source = Source::new(file_name, text);
    let root = raw::parse(text, &mut faults);
    let source = match &root {
        Some(root) => source.with_places(root.places()),
        None => source.masking(&raw::likely_secrets(text)),
    };
    let cluster = root.and_then(|root| {
        let keys = ClusterKeys::decode(&root, &InventoryPath::root(), &mut faults)?;
        resolve::resolve(&keys, profile, &mut faults)
    });
    match cluster {
        Some(cluster) if faults.is_empty() => Ok(Inventory { cluster, source }),
        _ => {
            if faults.is_empty() {
                let fault = Diagnostic::unplaced(
                    "internal error: the inventory was rejected without a diagnostic",
                );
                faults.add(fault.help("this is a mistake in hactl; please report it"));
            }
            Err(faults.into_errors(source))
        }
    }
}
