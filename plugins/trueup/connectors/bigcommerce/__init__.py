"""BigCommerce: what it is (spec.py), what reads it and what writes to it."""
