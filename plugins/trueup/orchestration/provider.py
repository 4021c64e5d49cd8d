"""Tells Airflow about our connection types: their names, hooks and form fields."""

from typing import Any

from trueup.connectors.forms import FieldPlace, FormField
from trueup.connectors.registry import CONNECTORS
from trueup.connectors.spec import ConnectorSpec

_STANDARD_PLACES = (FieldPlace.HOST, FieldPlace.PORT, FieldPlace.LOGIN, FieldPlace.PASSWORD)


def get_provider_info() -> dict[str, Any]:
    """What the entry point `apache_airflow_provider` calls."""
    return {
        "package-name": "trueup",
        "name": "Trueup",
        "description": "Connections to the systems that Trueup keeps true.",
        "connection-types": [_connection_type(spec) for spec in CONNECTORS.values()],
    }


def _connection_type(spec: ConnectorSpec) -> dict[str, Any]:
    by_place = {field.place: field for field in spec.form if field.place is not FieldPlace.EXTRA}
    hidden = [place.value for place in _STANDARD_PLACES if place not in by_place]
    return {
        "connection-type": spec.name,
        # Not imported from hook.py, which imports Airflow: this runs while Airflow looks for its providers.
        "hook-class-name": f"trueup.orchestration.hook.{spec.name.title().replace('_', '')}Hook",
        "hook-name": f"Trueup: {spec.title}",
        "ui-field-behaviour": {
            "hidden-fields": [*hidden, "schema", "extra"],
            "relabeling": {place.value: _label(field) for place, field in by_place.items()},
            "placeholders": {place.value: field.placeholder for place, field in by_place.items() if field.placeholder},
        },
        "conn-fields": {
            field.name: {"label": _label(field), "description": field.help, "schema": _schema(field)}
            for field in spec.form
            if field.place is FieldPlace.EXTRA
        },
    }


def _label(field: FormField) -> str:
    return field.label if field.is_required else f"{field.label} (optional)"


def _schema(field: FormField) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string" if field.is_required else ["string", "null"]}
    if field.is_secret:
        schema["format"] = "password"
    return schema
