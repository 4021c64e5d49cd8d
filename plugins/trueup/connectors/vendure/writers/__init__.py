"""What writes to Vendure, a module a workflow."""
