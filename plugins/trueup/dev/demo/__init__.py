"""The demo: a retailer's world, a sync that keeps it true, and what it saved against a naive one."""
