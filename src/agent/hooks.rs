//! Scripts that keepalived runs, and what speaks against a reload of it.

/// A script that the live keepalived.conf names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it should be.
    pub path: String,
    /// What lies there.
    pub state: HookState,
}

/// What lies at a script's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    /// A program that keepalived can run.
    Ready,
    /// Nothing.
    Missing,
    /// Something that is not executable.
    NotExecutable,
    /// keepalived's script security refuses it, since others than root can change this part of its path.
    Unsafe {
        /// The part of the path.
        component: String,
    },
}

/// A keepalived that runs a file without `reload_check_config`: an error that it met in a file since it
/// started would end it at a reload to one with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnsureReload {
    /// The exit code of its test of the live file.
    pub code: i32,
    /// The file was changed after keepalived had started.
    pub is_edited: bool,
    /// The last that its test said.
    pub output: String,
}
