"""PostgreSQL: connections, roles, migrations, COPY, and the tenant's declarations as tables."""
