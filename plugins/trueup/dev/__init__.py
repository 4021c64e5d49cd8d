"""Everything on one machine: the embedded PostgreSQL, a local Airflow, the demo."""
