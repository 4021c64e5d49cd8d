"""The registry: which systems a tenant has, who owns what, which rules and limits hold."""
