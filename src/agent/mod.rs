//! The POSIX sh program that does everything on a host, and the typed side of its protocol.
