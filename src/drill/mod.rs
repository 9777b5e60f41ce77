//! Faults, probes and measurements.
