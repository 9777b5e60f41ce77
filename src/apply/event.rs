//! What happens while a plan is carried out. Types only: whoever shows them needs no session.

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
    /// Taking every node's lock.
    Lock,
    /// Recording the hosts as they are, installing what is missing.
    Prepare,
    /// Sending the files.
    Stage,
    /// Asking the daemons to test them.
    Validate,
    /// Putting them in place, node by node.
    Activate,
    /// Looking for one owner of every VIP.
    Prove,
    /// Making the change stay, over fresh connections.
    Confirm,
}

impl Step {
    /// Its name as it is shown.
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
    /// No node was confirmed, so every node goes back.
    RollBack,
    /// A node was confirmed, so the others follow.
    Complete,
}

/// Something that happened.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// An interrupted change is being ended.
    RecoveryStarted {
        /// Its id.
        tx: String,
        /// `user@machine` of who made it.
        by: String,
        /// How it will end, by what was seen.
        direction: RecoveryDirection,
        /// The nodes on which it is not finished.
        nodes: Vec<NodeName>,
    },
    /// An interrupted change has ended.
    RecoveryFinished {
        /// Its id.
        tx: String,
        /// How it ended; `None` when not on all nodes alike.
        direction: Option<RecoveryDirection>,
    },
    /// The lock of a holder that no longer runs was released.
    LockReleased {
        /// The node.
        node: NodeName,
        /// `user@machine` of who took it.
        holder: String,
    },
    /// A node's lock could not be released: it expires.
    LockNotReleased {
        /// The node.
        node: NodeName,
        /// Why, as one line.
        message: String,
    },
    /// A change waits to be confirmed, and a node's lock could not be told: it expires with the process
    /// that took it.
    LockNotHandedOver {
        /// The node.
        node: NodeName,
        /// Why, as one line.
        message: String,
    },
    /// A step begins on these nodes.
    StepStarted {
        /// The step.
        step: Step,
        /// How many nodes take part.
        nodes: usize,
    },
    /// A step has ended well on one node.
    NodeDone {
        /// The step.
        step: Step,
        /// The node.
        node: NodeName,
        /// What there is to say of it, such as the packages that were installed.
        note: Option<String>,
    },
    /// A node's daemons tested its files.
    Tested {
        /// The node.
        node: NodeName,
        /// What they said.
        tests: Vec<TestResult>,
    },
    /// A node's activation begins.
    Activating {
        /// The node.
        node: NodeName,
        /// VIPs that it holds.
        holds: Vec<IpAddr>,
    },
    /// Every VIP has one owner.
    OwnersSeen {
        /// VIP and owner.
        owners: Vec<(IpAddr, NodeName)>,
    },
    /// After an undo every node that answers reaches each VIP at its owner.
    ReachedAgain {
        /// VIP and owner.
        owners: Vec<(IpAddr, NodeName)>,
    },
    /// Problems that were there before the change are there still.
    ProblemsRemain {
        /// Each.
        problems: Vec<Problem>,
    },
    /// Something failed; what follows undoes what was done.
    Failed {
        /// The step.
        step: Step,
        /// What, as one line.
        message: String,
    },
    /// The user asked to stop.
    Interrupted,
    /// A node is being brought back.
    Reverting {
        /// The node.
        node: NodeName,
    },
    /// A node is as it was.
    Reverted {
        /// The node.
        node: NodeName,
    },
    /// A node could not be brought back.
    RevertFailed {
        /// The node.
        node: NodeName,
        /// Why, as one line.
        message: String,
    },
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Progress {
    /// The step under way.
    pub step: Step,
    /// Which one it is, from 1.
    pub number: usize,
    /// How many steps a change has.
    pub steps: usize,
    /// How many nodes have done this step.
    pub nodes_done: usize,
    /// How many nodes take part in it.
    pub nodes: usize,
}

impl Progress {
    /// How far it is after `event`. Only steps and the nodes that end them bring it on.
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

    /// True once every node has done the step.
    pub fn is_step_done(self) -> bool {
        self.nodes_done == self.nodes
    }
}
