//! One host with a change: it takes inputs, and its state is read from its disk.

use crate::host_model::{Answer, Host, Stage};
use crate::scene::*;
use crate::world::World;
use hactl::agent::{Fact, Reason};

use super::input::Input;
use super::peers;
use super::shot::Shot;

/// The configuration before the change.
const OLD: &str = "111111111111";

/// The configuration that a file or daemon has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Old,
    New,
    Neither,
}

/// The observable state of a host.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) stage: Stage,
    /// Whether a timer will complete anything unfinished.
    pub(super) is_armed: bool,
    /// The same at the next boot.
    is_armed_for_boot: bool,
    has_journal: bool,
    /// The sides of the managed files, then of the running nginx and keepalived.
    sides: Vec<Side>,
    live: String,
}

impl Seen {
    /// Asserts that files, daemons and the `live` link match the stage.
    pub(super) fn must_be_whole(&self, when: &str) {
        let (side, live) = match self.stage {
            // Anything may be half done here, as long as it will be completed.
            Stage::Activating => {
                assert!(self.is_armed_for_boot, "nothing ends it: {self:?} {when}");
                return;
            }
            Stage::Staged | Stage::Old => (Side::Old, "generations/1"),
            Stage::Active | Stage::Offered | Stage::Asking => (Side::New, "generations/1"),
            Stage::New => (Side::New, ""),
        };
        assert!(
            self.sides.iter().all(|found| *found == side),
            "not whole: {self:?} {when}"
        );
        // The `live` link moves only after the journal says `confirmed`.
        let is_there = live == self.live || live.is_empty() && !self.live.is_empty();
        assert!(is_there, "the pointer is wrong: {self:?} {when}");
        let waits = matches!(self.stage, Stage::Active | Stage::Offered | Stage::Asking);
        if waits || self.has_journal {
            assert!(self.is_armed_for_boot, "nothing ends it: {self:?} {when}");
        }
    }

    /// Whether part of the host is old and part is new.
    pub(super) fn is_mixed(&self) -> bool {
        self.sides.windows(2).any(|pair| pair[0] != pair[1])
    }
}

pub(super) struct Site<'a> {
    world: &'a World,
}

fn with_peers() -> hactl::agent::Activation {
    let mut how = activation();
    how.peer = Some(peers::own_side());
    how
}

impl<'a> Site<'a> {
    /// A host with a first generation and a staged change.
    pub(super) async fn new(world: &'a World) -> Self {
        inhabited(world);
        let agent = world.agent();
        let first = tree("first", 1, OLD, vec![file("/etc/made/file", OLD)]);
        applied(&agent, "first", &first).await.unwrap();
        let mut change = tree(TX, 2, ID, vec![file("/etc/made/file", ID)]);
        change.manifest.facts.set(Fact::Peers, peers::addresses());
        staged(&agent, TX, &change).await.unwrap();
        peers::be_silent(world);
        Self { world }
    }

    pub(super) fn shot(&self) -> Shot {
        Shot::of(self.world)
    }

    pub(super) fn restore(&self, shot: &Shot) {
        shot.restore(self.world);
    }

    /// Identifies a state: the entire disk, or everything that the program's decisions depend on.
    pub(super) fn key(&self, host: Host, every_byte: bool) -> String {
        if every_byte {
            let shot = self.shot();
            let text = |place| shot.text(&self.world.path(place));
            return format!(
                "{host:?}{}{}{}",
                text("/etc"),
                text("/var/lib"),
                text("/run/units")
            );
        }
        let journal = self.world.read("/var/lib/hactl/journal");
        let phase = journal.lines().find(|line| line.starts_with("phase"));
        format!("{host:?} {phase:?} {:?}", self.look())
    }

    /// Gives the input to the program. The answer is the caller's view, and `None` if the program
    /// was killed.
    pub(super) async fn take(&self, input: &Input) -> (Option<Answer>, Seen) {
        let answer = match input {
            Input::Killed(call, step) => {
                self.world.kill_at(*step);
                Box::pin(self.give(call)).await;
                self.world.kill_at(0);
                // Killing a boot means another power cut, followed by another boot.
                if **call == Input::Boot {
                    self.boot();
                }
                None
            }
            _ => self.give(input).await,
        };
        (answer, self.look())
    }

    async fn give(&self, input: &Input) -> Option<Answer> {
        let (world, agent) = (self.world, self.world.agent());
        let yes_or_no = |is_done: bool| Some(if is_done { Answer::Yes } else { Answer::No });
        match input {
            Input::Activate { works: true } => {
                yes_or_no(agent.activate(TX, &with_peers()).await.is_ok())
            }
            Input::Activate { works: false } => {
                world.write("/run/fail", "reload keepalived.service\n");
                let ended = agent.activate(TX, &with_peers()).await;
                std::fs::remove_file(world.path("/run/fail")).unwrap();
                yes_or_no(ended.is_ok())
            }
            Input::Confirm => yes_or_no(agent.confirm(TX).await.is_ok()),
            Input::Offer => yes_or_no(agent.offer(TX).await.is_ok()),
            Input::Withdraw => match agent.withdraw(TX).await {
                Ok(is_new) => yes_or_no(!is_new),
                Err(_) => None,
            },
            Input::Revert => yes_or_no(agent.revert(TX, &Reason::failed("test")).await.is_ok()),
            Input::Expire => {
                world.timer("expire", TX);
                None
            }
            Input::AnswerPeer => {
                let is_half_done = self.look().stage == Stage::Activating;
                world.write("/run/systemctl.log", "");
                let answer = peers::ask(world);
                let log = world.read("/run/systemctl.log");
                // A waiting host then queries its peers, which is an input of its own.
                if is_half_done && log.contains("start hactl-revert.service") {
                    world.timer("expire", TX);
                }
                answer
            }
            Input::Hear(heard) => {
                peers::will_answer(world, heard);
                world.timer("expire", TX);
                peers::have_answered(world);
                None
            }
            Input::Boot => {
                self.boot();
                None
            }
            Input::Killed(..) => unreachable!("it is killed once"),
        }
    }

    /// The host's boot, in the order of its units.
    fn boot(&self) {
        let world = self.world;
        let id = world.read("/kernel/boot_id");
        world.write("/kernel/boot_id", format!("{}+\n", id.trim()));
        world.write("/kernel/uptime", "3.00 0.00\n");
        for unit in ["hactl-revert.timer", "hactl-peer.socket"] {
            world.write(&format!("/run/units/{unit}.active"), "inactive\n");
        }
        if world.exists(BOOT_UNIT) {
            world.timer("expire-at-boot", TX);
        }
        // Kills apply to the program only, not to what systemd does.
        world.kill_at(0);
        world.sh("systemctl restart nginx.service; systemctl restart keepalived.service");
    }

    pub(super) fn look(&self) -> Seen {
        let world = self.world;
        let state = |name: &str| world.read(&format!("/var/lib/hactl/{name}"));
        let has = |text: &str, key: &str, value: &str| {
            text.lines().any(|line| line == format!("{key}\t{value}"))
        };
        let (journal, outcome) = (state("journal"), state("outcome"));
        let live = std::fs::read_link(world.path("/var/lib/hactl/live")).unwrap();
        let is_live = has(&state("live/manifest"), "tx", TX);
        let is_confirmed = has(&outcome, "tx", TX) && has(&outcome, "result", "confirmed");
        let is_timed = world.exists("/var/lib/hactl/agent")
            && world.read("/run/units/hactl-revert.timer.active").trim() == "active"
            && world.exists("/etc/systemd/system/hactl-revert.timer");
        let stage = match () {
            () if has(&journal, "phase", "activated") => Stage::Active,
            () if has(&journal, "phase", "offered") => Stage::Offered,
            () if has(&journal, "phase", "asking") => Stage::Asking,
            () if has(&journal, "phase", "confirmed") => Stage::New,
            () if !journal.is_empty() => Stage::Activating,
            () if is_live || is_confirmed => Stage::New,
            () if world.exists(&format!("/var/lib/hactl/tx/{TX}/new/manifest")) => Stage::Staged,
            () => Stage::Old,
        };
        let side = |text: &str| match text.trim().trim_start_matches("# id ") {
            OLD => Side::Old,
            ID => Side::New,
            _ => Side::Neither,
        };
        let looked_at = [
            NGINX,
            KEEPALIVED,
            "/etc/made/file",
            "/run/nginx.serves",
            "/run/keepalived.loaded",
        ];
        Seen {
            stage,
            is_armed: is_timed,
            is_armed_for_boot: world.exists("/var/lib/hactl/agent") && world.exists(BOOT_UNIT),
            has_journal: !journal.is_empty(),
            sides: looked_at.map(|path| side(&world.read(path))).to_vec(),
            live: live.display().to_string(),
        }
    }

    /// Without hactl and with peers that deny, the host completes the change on its own. It ends in
    /// one consistent state, and no trace of the change is left.
    pub(super) async fn settles_when_left_alone(&self, path: &[Input]) {
        use super::input::Peer::Denied;
        for time in ["1500.00 0", "2000.00 0", "9000.00 0", "9999.00 0"] {
            self.world.write("/kernel/uptime", format!("{time}\n"));
            if self.look().is_armed {
                self.give(&Input::Hear(vec![(1, Denied), (2, Denied)]))
                    .await;
            }
        }
        // The next caller finds nothing unfinished.
        self.world.agent().unlock(TX).await.unwrap();
        let seen = self.look();
        let end = format!("left alone after {path:?}\n{}", self.describe());
        let mut end_of_all = Host::new(0, 3);
        end_of_all.stage = seen.stage;
        assert!(end_of_all.is_decided(), "{seen:?} {end}");
        seen.must_be_whole(&end);
        let left = self.world.sh(
            "find /etc -name 'hactl-*' -o -name '.hactl*'; cd /var/lib/hactl; \
             ls -d lock tx journal agent ./*.new 2>/dev/null; true",
        );
        assert_eq!(left, "", "{end}");
    }

    /// The host's disk, for diagnosing a failure.
    pub(super) fn describe(&self) -> String {
        self.world.sh(
            "cd /var/lib/hactl; find . /etc/systemd /run/units /run/peers; \
             grep . journal outcome lock /run/peers/* 2>/dev/null; cat /run/systemctl.log; true",
        )
    }
}

const BOOT_UNIT: &str = "/etc/systemd/system/multi-user.target.wants/hactl-revert-boot.service";
