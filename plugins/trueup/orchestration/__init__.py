"""Airflow's side: the DAG factory, asset names, task bodies, connection types."""
