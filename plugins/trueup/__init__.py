"""Trueup keeps every sales channel true to its system of record."""
