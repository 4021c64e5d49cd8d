"""Tryton: one database's REST interface over one warehouse, as far as what stock and sales need."""
