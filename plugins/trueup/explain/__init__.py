"""The append-only trail: explain a number, trace a correlation id."""
