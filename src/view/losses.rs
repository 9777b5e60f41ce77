//! What a plan would stop serving, listed by the names that `--stop-serving` takes.

use super::paint;
use super::text::{and, comma, indent, width, wrap};
use crate::plan::{Loss, LostService};

/// Maximum width of the column of names. Longer names get a line of their own.
const NAME_WIDTH: usize = 28;

/// The name of each loss, and what it is and where. Losses that several nodes share are merged.
fn rows(losses: &[Loss]) -> Vec<(String, String)> {
    let mut groups: Vec<Vec<&Loss>> = Vec::new();
    for loss in losses {
        let same = |group: &&mut Vec<&Loss>| {
            group[0].name == loss.name && group[0].service == loss.service
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(loss),
            None => groups.push(vec![loss]),
        }
    }
    let row = |group: Vec<&Loss>| {
        let mut nodes: Vec<_> = group.iter().map(|loss| &loss.node).collect();
        nodes.sort();
        let what = words(&group[0].service);
        (group[0].name.clone(), format!("{what} on {}", and(&nodes)))
    };
    groups.into_iter().map(row).collect()
}

fn words(service: &LostService) -> String {
    match service {
        LostService::Listener { server_names, .. } if server_names.is_empty() => {
            "nginx listener".to_owned()
        }
        LostService::Listener { server_names, .. } => {
            format!("nginx listener for {}", comma(server_names))
        }
        LostService::Site { .. } => "nginx site".to_owned(),
        LostService::Vip { instance, .. } => format!("VIP of vrrp_instance {instance}"),
        LostService::Instance { .. } => "vrrp_instance".to_owned(),
        LostService::VirtualServer { .. } => "keepalived virtual_server".to_owned(),
    }
}

fn list(losses: &[Loss]) -> String {
    let rows = rows(losses);
    let names = rows.iter().map(|(name, _)| width(name));
    let column = names.filter(|own| *own <= NAME_WIDTH).max().unwrap_or(0);
    let hanging = " ".repeat(column + 4);
    let row = |(name, what): &(String, String)| {
        if width(name) > NAME_WIDTH {
            let what = wrap(what, hanging.len(), &hanging);
            return format!("  {}\n{hanging}{what}\n", paint::warn(name));
        }
        let gap = " ".repeat(column + 2 - width(name));
        let what = wrap(what, hanging.len(), &hanging);
        format!("  {}{gap}{what}\n", paint::warn(name))
    };
    rows.iter().map(row).collect()
}

/// The section in the summary of a plan. Empty if nothing is lost.
pub(super) fn losses_text(losses: &[Loss]) -> String {
    if losses.is_empty() {
        return String::new();
    }
    format!("{}\n{}", paint::warn_label("Stops serving:"), list(losses))
}

/// The separate prompt before a change starts.
pub(super) fn losses_question(losses: &[Loss]) -> String {
    let list = indent(&list(losses), "");
    format!(
        "{}\n{list}{} [y/N] ",
        paint::warn_label("These stop being served:"),
        paint::strong("Stop serving them?"),
    )
}
