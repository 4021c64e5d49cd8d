"""What writes to BigCommerce, a module a workflow."""
