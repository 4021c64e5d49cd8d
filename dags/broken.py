"""Broken: a DAG for each tenant whose files do not hold together, in place of all its others."""

# Airflow reads a file only where its text names airflow and a dag.
from trueup.orchestration.factory import broken_dags

globals().update(broken_dags())
