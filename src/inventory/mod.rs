//! YAML text to a cluster, or all of its errors with their places.
