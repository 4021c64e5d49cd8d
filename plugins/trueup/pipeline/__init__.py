"""One call for each step of the line: what an Airflow task and a command both do."""
