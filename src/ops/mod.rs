//! One file per verb; wires the stages together.
