//! Command-line arguments to options of the operations, and exit codes.
