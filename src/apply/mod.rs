//! Carries out a plan: lock, stage, validate, activate, prove, confirm, or roll back.
