"""What writes to Shopify, a module a workflow."""
