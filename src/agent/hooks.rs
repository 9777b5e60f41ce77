//! Scripts that keepalived runs, and risks of reloading it.

/// A script named in the live keepalived.conf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub path: String,
    pub state: HookState,
}

/// The condition of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookState {
    /// A program that keepalived can execute.
    Ready,
    /// No such file.
    Missing,
    /// A file that is not executable.
    NotExecutable,
    /// keepalived's script security rejects it, since users other than root can change this part of
    /// its path.
    Unsafe {
        /// The absolute path of that part.
        component: String,
    },
}

/// A running keepalived without `reload_check_config`, for which a reload is risky: an error that
/// got into the file since keepalived started would terminate it when the new file has the error,
/// too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnsureReload {
    /// The exit code of its test of the live file.
    pub code: i32,
    /// Whether the file was changed after keepalived started.
    pub is_edited: bool,
    /// The last line of the test's output.
    pub output: String,
}
