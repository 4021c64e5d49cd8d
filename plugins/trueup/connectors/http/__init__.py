"""What every system that is spoken to over HTTP shares: the client, credentials, quotas, paging."""
