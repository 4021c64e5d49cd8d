"""The same use cases without Airflow."""
