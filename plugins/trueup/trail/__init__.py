"""The append-only audit trail: what happened, why, and on whose word."""
