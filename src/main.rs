//! The `hactl` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hactl::cli::main()
}
