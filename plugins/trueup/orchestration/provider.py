"""Tells Airflow about our connection types: their names, hooks and form fields."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """What the entry point `apache_airflow_provider` calls."""
    return {
        "package-name": "trueup",
        "name": "Trueup",
        "description": "Connections to the systems that Trueup keeps true.",
        "connection-types": [],
    }
