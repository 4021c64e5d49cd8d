"""Pages from the connectors into raw, with the cursor in the same transaction."""
