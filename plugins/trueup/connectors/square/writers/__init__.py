"""What writes to Square, a module a workflow."""
