//! Events of carrying out a plan. Types only: consumers need no session.

use std::net::IpAddr;

use crate::agent::TestResult;
use crate::health::Problem;
use crate::model::NodeName;

/// A phase of the protocol.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Take every node's lock.
    Lock,
    /// Record the state of the hosts, install missing packages.
    Prepare,
    /// Upload the files.
    Stage,
    /// Let the daemons test the files.
    Validate,
    /// Put the files in place, node by node.
    Activate,
    /// Check that every VIP has one owner.
    Prove,
    /// Make the change permanent, over fresh connections.
    Confirm,
}

impl Step {
    /// Its display name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Prepare => "prepare",
            Self::Stage => "stage",
            Self::Validate => "validate",
            Self::Activate => "activate",
            Self::Prove => "prove",
            Self::Confirm => "confirm",
        }
    }

    /// All steps, in order.
    pub const ALL: [Self; 7] = [
        Self::Lock,
        Self::Prepare,
        Self::Stage,
        Self::Validate,
        Self::Activate,
        Self::Prove,
        Self::Confirm,
    ];
}

/// How an interrupted change ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryDirection {
    /// No node was confirmed, so every node is rolled back.
    RollBack,
    /// A node was confirmed, so the remaining nodes follow.
    Complete,
}

/// An event of a change.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// An interrupted change is being ended.
    RecoveryStarted {
        /// Its id.
        tx: String,
        /// Author, as `user@machine`.
        by: String,
        /// How it will end, judging by the observations.
        direction: RecoveryDirection,
        /// The nodes on which it is unfinished.
        nodes: Vec<NodeName>,
    },
    /// An interrupted change has ended.
    RecoveryFinished {
        /// Its id.
        tx: String,
        /// How it ended. `None` if not the same way on all nodes.
        direction: Option<RecoveryDirection>,
    },
    /// The lock of a holder that no longer runs was released.
    LockReleased {
        /// The node.
        node: NodeName,
        /// Holder, as `user@machine`.
        holder: String,
    },
    /// A node's lock could not be released. It expires.
    LockNotReleased {
        /// The node.
        node: NodeName,
        /// The cause, in one line.
        message: String,
    },
    /// A change is pending confirmation, and a node's lock could not be handed over to it. The lock expires with the
    /// process that took it.
    LockNotHandedOver {
        /// The node.
        node: NodeName,
        /// The cause, in one line.
        message: String,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: Step,
        /// Number of nodes that take part.
        nodes: usize,
    },
    /// A step has succeeded on one node.
    NodeDone {
        /// The step.
        step: Step,
        /// The node.
        node: NodeName,
        /// A remark, such as the packages that were installed.
        note: Option<String>,
    },
    /// A node's daemons tested its files.
    Tested {
        /// The node.
        node: NodeName,
        /// The results.
        tests: Vec<TestResult>,
    },
    /// A node's activation begins.
    Activating {
        /// The node.
        node: NodeName,
        /// The VIPs that it holds.
        holds: Vec<IpAddr>,
    },
    /// Every VIP has one owner.
    OwnersSeen {
        /// The owner of each VIP.
        owners: Vec<(IpAddr, NodeName)>,
    },
    /// After a rollback, every node that answers reaches each VIP at its owner.
    ReachedAgain {
        /// The owner of each VIP.
        owners: Vec<(IpAddr, NodeName)>,
    },
    /// Problems from before the change persist.
    ProblemsRemain {
        /// The problems.
        problems: Vec<Problem>,
    },
    /// Something failed. The change is rolled back from here on.
    Failed {
        /// The step.
        step: Step,
        /// The cause, in one line.
        message: String,
    },
    /// The user asked to stop.
    Interrupted,
    /// The rollback of a node begins.
    Reverting {
        /// The node.
        node: NodeName,
    },
    /// A node has been rolled back.
    Reverted {
        /// The node.
        node: NodeName,
    },
    /// A node could not be rolled back.
    RevertFailed {
        /// The node.
        node: NodeName,
        /// The cause, in one line.
        message: String,
    },
}

/// Progress of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Progress {
    /// The current step.
    pub step: Step,
    /// Its number, from 1.
    pub number: usize,
    /// Number of steps of a change.
    pub steps: usize,
    /// Number of nodes that have completed this step.
    pub nodes_done: usize,
    /// Number of nodes that take part in this step.
    pub nodes: usize,
}

impl Progress {
    /// Progress after `event`. Only a step that starts and a node that completes it make a difference.
    pub fn after(event: &Event, before: Option<Self>) -> Option<Self> {
        match event {
            Event::StepStarted { step, nodes } => Some(Self {
                step: *step,
                number: *step as usize + 1,
                steps: Step::ALL.len(),
                nodes_done: 0,
                nodes: *nodes,
            }),
            Event::NodeDone { step, .. } => before.map(|before| Self {
                nodes_done: before.nodes_done + usize::from(before.step == *step),
                ..before
            }),
            _ => before,
        }
    }

    /// True once every node has completed the step.
    pub fn is_step_done(self) -> bool {
        self.nodes_done == self.nodes
    }
}
