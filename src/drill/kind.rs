//! The drills there are: one table, from which help and documentation come.

/// A drill's name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Drill {
    /// nginx's master is killed on the VIP's owner.
    NginxKill,
}

/// What a drill does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrillSpec {
    /// Which one.
    pub drill: Drill,
    /// Its name on the command line, and the host program's name for its fault.
    pub name: &'static str,
    /// What it does, said before it is done.
    pub does: &'static str,
    /// Who undoes it.
    pub heals: &'static str,
}

/// All drills.
pub const DRILLS: &[DrillSpec] = &[DrillSpec {
    drill: Drill::NginxKill,
    name: "nginx-kill",
    does: "kills nginx with SIGKILL on the VIP's owner",
    heals: "systemd starts nginx again (Restart=)",
}];

impl Drill {
    /// Its row in the table.
    pub fn spec(self) -> &'static DrillSpec {
        // The table has a row for every variant, which the test below holds it to.
        DRILLS
            .iter()
            .find(|spec| spec.drill == self)
            .unwrap_or(&DRILLS[0])
    }

    /// The drill called `name`.
    pub fn named(name: &str) -> Option<Self> {
        DRILLS
            .iter()
            .find(|spec| spec.name == name)
            .map(|spec| spec.drill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_is_found_by_its_name() {
        for spec in DRILLS {
            assert_eq!(Drill::named(spec.name), Some(spec.drill));
            assert_eq!(spec.drill.spec().name, spec.name);
        }
    }
}
