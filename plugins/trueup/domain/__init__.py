"""Identities, quantities and policies: values and pure rules, on the standard library alone."""
