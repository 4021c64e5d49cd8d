"""PostgreSQL: connections, roles, migrations, COPY, and the tenant's configuration as tables."""
