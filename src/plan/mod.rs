//! Desired, observed and recorded state to a plan; pure.
