//! Text for the impact of a change on the service.

use crate::agent::UnitAction;
use std::net::IpAddr;
use std::time::Duration;

use super::paint;
use super::prediction::time_words;
use super::text::{and, comma};
use crate::model::{NodeName, UnitId};
use crate::plan::{Course, NodePlan, Plan, Strategy, VipCourse};
use crate::units;

/// The verb for an action on a daemon, singular and plural.
fn verbs(action: UnitAction) -> (&'static str, &'static str) {
    match action {
        UnitAction::None => ("runs on untouched", "run on untouched"),
        UnitAction::Reload => ("reloads", "reload"),
        UnitAction::Restart => ("restarts", "restart"),
        UnitAction::Start => ("starts", "start"),
        UnitAction::Stop => ("stops", "stop"),
    }
}

fn painted(action: UnitAction, words: String) -> String {
    match action {
        UnitAction::Restart | UnitAction::Stop => paint::warn(words),
        UnitAction::None | UnitAction::Reload | UnitAction::Start => words,
    }
}

/// `nginx and keepalived reload`, `nginx restarts (why) on lb1; keepalived runs on untouched`.
pub(super) fn service_words(nodes: &[&NodePlan]) -> String {
    let of_unit = |id: UnitId| (id, by_action(nodes, id));
    let units: Vec<_> = units::ids().map(of_unit).collect();
    // An action that all units share is said once.
    if let Some((action, reason)) = shared(&units, nodes) {
        let names: Vec<&str> = units::ids().map(UnitId::name).collect();
        let words = format!("{} {}", and(&names), verbs(action).1);
        return painted(action, with_reasons(words, reason.as_slice()));
    }
    let words: Vec<String> = units
        .into_iter()
        .flat_map(|(id, groups)| {
            let everywhere = groups.len() == 1;
            // If a daemon is touched on some nodes only, the others go without saying.
            let spoken = groups
                .into_iter()
                .filter(move |(action, _)| everywhere || *action != UnitAction::None);
            spoken.map(move |(action, nodes)| {
                let mut words = format!("{id} {}", verbs(action).0);
                if !everywhere {
                    let names: Vec<_> = nodes.iter().map(|node| &node.node).collect();
                    words = format!("{words} on {}", and(&names));
                }
                painted(action, with_reasons(words, &restart_reasons(&nodes, id)))
            })
        })
        .collect();
    words.join("; ")
}

type Groups<'a> = Vec<(UnitAction, Vec<&'a NodePlan>)>;

/// The action that all units share on all of `nodes`, with at most one reason.
fn shared<'a>(
    units: &[(UnitId, Groups<'_>)],
    nodes: &[&'a NodePlan],
) -> Option<(UnitAction, Option<&'a str>)> {
    let mut groups = units.iter().flat_map(|(_, groups)| groups);
    let (first, _) = groups.next()?;
    let mut reasons: Vec<&str> = units
        .iter()
        .flat_map(|(id, _)| restart_reasons(nodes, *id))
        .collect();
    reasons.dedup();
    let is_shared = groups.all(|(action, _)| action == first) && reasons.len() <= 1;
    is_shared.then(|| (*first, reasons.pop()))
}

/// Why a unit restarts, which drops connections. A reload needs no reason: the list of files gives it.
fn restart_reasons<'a>(nodes: &[&'a NodePlan], id: UnitId) -> Vec<&'a str> {
    let restart = |node: &&'a NodePlan| {
        let change = node.unit_change(id)?;
        (change.action == UnitAction::Restart).then_some(change.reason.as_str())
    };
    let mut reasons: Vec<&str> = nodes.iter().filter_map(restart).collect();
    reasons.dedup();
    reasons
}

fn with_reasons(words: String, reasons: &[&str]) -> String {
    if reasons.is_empty() {
        return words;
    }
    format!("{words} ({})", comma(reasons))
}

fn by_action<'a>(nodes: &[&'a NodePlan], id: UnitId) -> Groups<'a> {
    let mut groups: Groups<'a> = Vec::new();
    for node in nodes {
        let action = node.unit(id);
        match groups.iter_mut().find(|(known, _)| *known == action) {
            Some((_, nodes)) => nodes.push(node),
            None => groups.push((action, vec![node])),
        }
    }
    groups
}

fn time_without_owner(plan: &Plan) -> Option<Duration> {
    match plan.strategy {
        Strategy::AtOnce { without_owner, .. } => without_owner,
        Strategy::Rolling => None,
    }
}

/// The keeper, if its nginx restarts while no other node can take over.
fn keepers_nginx_restarts(plan: &Plan) -> Option<&NodeName> {
    let keeper = plan.keeper()?;
    let mut nodes = plan.nodes.iter();
    let own = nodes.find(|node| node.node == *keeper)?;
    (own.unit(UnitId::NGINX) == UnitAction::Restart).then_some(keeper)
}

/// True when VIPs have no owner until the keeper is elected again.
pub(super) fn has_election(plan: &Plan) -> bool {
    plan.strategy != Strategy::Rolling && time_without_owner(plan) != Some(Duration::ZERO)
}

/// What happens to the VIPs across all nodes. VIPs whose new owner cannot be predicted are left out.
pub(super) fn vip_words(plan: &Plan) -> String {
    let mut courses: Vec<(Vec<NodeName>, Course, Vec<IpAddr>)> = Vec::new();
    for VipCourse { vip, from, course } in plan.courses() {
        // For a VIP that stays, its owner does not matter.
        let from = if course == Course::Stays {
            Vec::new()
        } else {
            from
        };
        match courses
            .iter_mut()
            .find(|(known, of, _)| (known, of) == (&from, &course))
        {
            Some((.., vips)) => vips.push(vip),
            None => courses.push((from, course, vec![vip])),
        }
    }
    let waiting = courses
        .iter()
        .filter(|(_, course, _)| *course != Course::Ends);
    let waiting: Vec<IpAddr> = waiting.flat_map(|(.., vips)| vips).copied().collect();
    let has_election = has_election(plan) && !waiting.is_empty();
    let election = has_election.then(|| paint::warn(election_words(plan, &waiting)));
    let of_course = |(from, course, vips): &(Vec<NodeName>, Course, Vec<IpAddr>)| {
        let is_said = !has_election || matches!(course, Course::Moves { .. } | Course::Ends);
        is_said.then(|| course_words(from, course, vips))
    };
    let words = courses
        .iter()
        .filter_map(of_course)
        .filter(|words| !words.is_empty());
    election
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn course_words(from: &[NodeName], course: &Course, vips: &[IpAddr]) -> String {
    let (s, from, vips_are) = (if vips.len() == 1 { "s" } else { "" }, and(from), and(vips));
    match course {
        Course::Stays => format!("{vips_are} stay{s} put."),
        Course::Moves { to } => paint::warn(format!("{vips_are} move{s} from {from} to {to}.")),
        Course::Returns => paint::warn(format!(
            "{vips_are} leave{s} {from} meanwhile, and return{s}."
        )),
        Course::Leaves => paint::warn(format!("{vips_are} move{s} from {from} to another node.")),
        Course::Ends => paint::warn(format!("Afterwards nobody owns {vips_are}.")),
        Course::Unknown => String::new(),
    }
}

fn election_words(plan: &Plan, vips: &[IpAddr]) -> String {
    let have = if vips.len() == 1 { "has" } else { "have" };
    let time = time_without_owner(plan).map_or(String::new(), |time| {
        format!(" for {} by VRRP's timers,", time_words(time))
    });
    let refused = keepers_nginx_restarts(plan).map_or(String::new(), |node| {
        format!(" While nginx restarts on {node}, connections may be refused.")
    });
    format!(
        "{} {have} no owner{time} until the next election.{refused}",
        and(vips)
    )
}

/// VIPs outside hactl's control on nodes whose keepalived is stopped while all nodes change at once.
pub(super) fn displaced_words(plan: &Plan) -> String {
    let of_node = |node: &NodePlan| {
        let is = if node.displaces.len() == 1 {
            "is"
        } else {
            "are"
        };
        let vips = and(&node.displaces);
        format!(
            "{} gives up {vips}, which {is} not hactl's: its keepalived is stopped meanwhile.",
            node.node
        )
    };
    let nodes = plan.nodes.iter().filter(|node| !node.displaces.is_empty());
    let words: Vec<String> = nodes.map(of_node).collect();
    if words.is_empty() {
        String::new()
    } else {
        paint::warn(words.join(" "))
    }
}
