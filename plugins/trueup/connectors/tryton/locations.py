"""Which warehouse each of Tryton's locations lies in."""

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.connectors.reading import ids_of


class Tree:
    """Which warehouse each location lies in. A move tells locations only, and stock is kept by warehouse."""

    def __init__(self, locations: Sequence[Mapping[str, Any]]) -> None:
        known = [location for location in locations if ids_of([location])[1]]
        self._parents = {location["id"]: location.get("parent") for location in known}
        self._warehouses = frozenset(location["id"] for location in known if location.get("type") == "warehouse")

    def warehouse_of(self, location: object) -> int | None:
        """Return the id of the nearest warehouse, None for a location outside of any."""
        passed: set[object] = set()
        while isinstance(location, int) and location not in passed:
            if location in self._warehouses:
                return location
            passed.add(location)
            location = self._parents.get(location)
        return None

    def placed(self, end: object) -> object:
        """Return a move's location with its warehouse added, where that is known: the contract refuses one without."""
        if not isinstance(end, Mapping):
            return end
        location = end.get("id")
        warehouse = self.warehouse_of(location)
        return {**end, "warehouse": warehouse} if warehouse is not None or self._leads_out(location) else end

    def _leads_out(self, location: object) -> bool:
        """Whether the way up is known to its end: behind a broken parent a warehouse may stand."""
        passed: set[object] = set()
        while isinstance(location, int) and location in self._parents and location not in passed:
            passed.add(location)
            location = self._parents[location]
        return location is None and bool(passed)
