"""What Airflow loads: our pages, and where its menu shows them."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from trueup.web.app import create_app
from trueup.web.connections import ServerConnections
from trueup.web.triggers import trigger_poll
from trueup.web.unset_port import UnsetPort


class TrueupPlugin(AirflowPlugin):
    """Puts *Quality* into Airflow's menu."""

    name = "trueup"
    fastapi_apps: list[Any] = [  # noqa: RUF012 - Airflow's base class declares it so
        {"app": create_app(ServerConnections, trigger_poll), "url_prefix": "/trueup", "name": "Trueup"}
    ]
    fastapi_root_middlewares: list[Any] = [  # noqa: RUF012
        {"middleware": UnsetPort, "args": [], "kwargs": {}, "name": "Trueup: a port that is not set"}
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            # Airflow shows about eight letters below the symbol.
            "name": "Quality",
            # Relative to Airflow's base address, whatever path it is served under.
            "href": "trueup/",
            "destination": "nav",
            "url_route": "data-quality",
        }
    ]
