"""Vendure: one shop's Admin API over its own books, as far as its published schema is needed."""
