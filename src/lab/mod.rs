//! A local cluster of real machines to rehearse on.
