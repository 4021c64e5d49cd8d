"""Runs dbt in process and keeps its results."""
