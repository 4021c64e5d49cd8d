"""The Airflow plugin: pages for operations and the webhooks' entry."""
