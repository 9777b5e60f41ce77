//! VRRP at the level of packets: each node is a state machine with timers, and adverts travel on a wire.
//!
//! Written from RFC 9568, 6.4 and the notes on keepalived, and independently of `check::election`. The two share no
//! type or function, so they can agree only if both are right. Time is counted in 1/256 of an advert interval, which
//! makes every skew a whole number.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    /// Off: neither receives nor sends.
    Dead,
    /// In FAULT: alive, but not a candidate.
    Fault,
    /// Waits for adverts until its timer runs out.
    Backup { until: u32 },
    /// Sends the next advert when its timer runs out.
    Master { until: u32 },
}

/// A node on the wire.
#[derive(Clone, Debug)]
struct Machine {
    doing: Doing,
    /// The priority in its adverts.
    priority: u8,
    address: u32,
}

/// The nodes on a wire, and the time.
#[derive(Clone, Debug)]
pub(in crate::check) struct Wire {
    machines: Vec<Machine>,
    preempt: bool,
    now: u32,
    /// Adverts in flight: sender and priority.
    under_way: Vec<(usize, u8)>,
}

const ADVERT: u32 = 256;

impl Wire {
    /// A wire without nodes.
    pub(in crate::check) fn new(preempt: bool) -> Self {
        Self {
            machines: Vec::new(),
            preempt,
            now: 0,
            under_way: Vec::new(),
        }
    }

    /// Connects a node. `failed` is the effect of a dead nginx: `None` for FAULT, or the weight.
    pub(in crate::check) fn connect(
        &mut self,
        base: u8,
        address: u32,
        (up, serving): (bool, bool),
        failed: Option<i16>,
        was_master: bool,
    ) {
        let mut sum = i32::from(base);
        if let Some(weight) = failed {
            // A negative weight is subtracted while the check fails, a positive one added while it succeeds.
            if weight < 0 && !serving {
                sum -= i32::from(weight).abs();
            }
            if weight > 0 && serving {
                sum += i32::from(weight);
            }
        }
        let priority = u8::try_from(sum.clamp(1, 254)).expect("clamped");
        let index = self.machines.len();
        let doing = if !up {
            Doing::Dead
        } else if failed.is_none() && !serving {
            if was_master {
                // It resigns.
                self.under_way.push((index, 0));
            }
            Doing::Fault
        } else if was_master {
            Doing::Master { until: 0 }
        } else {
            Doing::Backup {
                until: 3 * ADVERT + (256 - u32::from(priority)),
            }
        };
        self.machines.push(Machine {
            doing,
            priority,
            address,
        });
    }

    /// Runs until nothing has changed for longer than any timer, and returns the masters.
    pub(in crate::check) fn settle(mut self) -> Vec<usize> {
        let mut quiet_since = 0;
        self.deliver();
        while self.now - quiet_since < 5 * ADVERT {
            let before = self.masters();
            let Some(next) = self.machines.iter().filter_map(Machine::timer).min() else {
                break;
            };
            self.now = next;
            self.expire();
            self.deliver();
            if self.masters() != before {
                quiet_since = self.now;
            }
        }
        self.masters()
    }

    fn masters(&self) -> Vec<usize> {
        let is_master = |index: &usize| matches!(self.machines[*index].doing, Doing::Master { .. });
        (0..self.machines.len()).filter(is_master).collect()
    }

    /// Handles all timers that have expired by now.
    fn expire(&mut self) {
        for (index, machine) in self.machines.iter_mut().enumerate() {
            if machine.timer().is_some_and(|until| until <= self.now) {
                machine.doing = Doing::Master {
                    until: self.now + ADVERT,
                };
                self.under_way.push((index, machine.priority));
            }
        }
    }

    /// Delivers adverts to all other nodes, and the answers to them, until none is in flight.
    fn deliver(&mut self) {
        while !self.under_way.is_empty() {
            for (sender, priority) in std::mem::take(&mut self.under_way) {
                for receiver in 0..self.machines.len() {
                    if receiver != sender {
                        self.hear(receiver, sender, priority);
                    }
                }
            }
        }
    }

    fn hear(&mut self, receiver: usize, sender: usize, priority: u8) {
        let from = self.machines[sender].address;
        let me = &mut self.machines[receiver];
        let skew = 256 - u32::from(me.priority);
        match me.doing {
            Doing::Dead | Doing::Fault => {}
            Doing::Backup { .. } if priority == 0 => {
                me.doing = Doing::Backup {
                    until: self.now + skew,
                };
            }
            Doing::Backup { .. } => {
                if !self.preempt || priority >= me.priority {
                    me.doing = Doing::Backup {
                        until: self.now + 3 * ADVERT + skew,
                    };
                }
            }
            Doing::Master { .. } if priority == 0 => {
                me.doing = Doing::Master {
                    until: self.now + ADVERT,
                };
                self.under_way.push((receiver, me.priority));
            }
            Doing::Master { .. } => {
                if priority > me.priority || priority == me.priority && from > me.address {
                    me.doing = Doing::Backup {
                        until: self.now + 3 * ADVERT + skew,
                    };
                }
            }
        }
    }
}

impl Machine {
    fn timer(&self) -> Option<u32> {
        match self.doing {
            Doing::Dead | Doing::Fault => None,
            Doing::Backup { until } | Doing::Master { until } => Some(until),
        }
    }
}
