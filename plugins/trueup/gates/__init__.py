"""Expectations over the built tables: verdicts, quarantine, stops."""
