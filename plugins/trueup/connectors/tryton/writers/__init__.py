"""What writes to Tryton, one module a workflow."""
