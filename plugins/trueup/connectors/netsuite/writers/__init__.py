"""What writes to NetSuite, one module a workflow."""
