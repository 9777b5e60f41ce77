//! One host: run a program, stream bytes in and out.
