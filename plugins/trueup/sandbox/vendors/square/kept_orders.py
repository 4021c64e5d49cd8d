"""An order in Square's books, with what the API shows of it and what its fulfilments are made from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
LineKey = tuple[str, str]
"""(ship-from location or empty, line uid)."""


@dataclass(slots=True)
class Kept:
    """`content` is the order as the API shows it; `uids` are its lines' uids by the world's line id.

    `returned`: units by line uid whose money went back, whether they were returned or never sent. `edits`: what was
    written to a fulfilment over the API, by its uid. `channel_id`: whose customer placed it online; None at a till.
    """

    content: Json
    uids: dict[str, str] = field(default_factory=dict)
    shipped: Counter[LineKey] = field(default_factory=Counter)
    shipped_at: dict[str, str] = field(default_factory=dict)
    cancelled: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    edits: dict[str, dict[str, Json]] = field(default_factory=dict)
    channel_id: str | None = None

    def item(self, line_id: str) -> Json | None:
        """The line that the world knows by this id."""
        uid = self.uids.get(line_id)
        return next((item for item in self.content["line_items"] if item["uid"] == uid), None)

    def write_fulfillments(self) -> list[Json]:
        """One fulfilment for what each store shipped, one for what is cancelled, one for what is still to come.

        Returns the changes of state, as Square's webhooks list them.
        """
        before = {each["uid"]: each["state"] for each in self.content.get("fulfillments", ())}
        gone: Counter[str] = Counter(self.cancelled)
        by_location: dict[str, Counter[str]] = {}
        for (location, uid), units in self.shipped.items():
            by_location.setdefault(location, Counter())[uid] += units
            gone[uid] += units
        fulfillments = [
            _fulfillment(
                f"SHIPPED-{location}",
                "COMPLETED",
                units,
                {"shipped_at": self.shipped_at[location]},
                {"ship_from_location_id": location},
            )
            for location, units in by_location.items()
        ]
        if self.cancelled:
            fulfillments.append(_fulfillment("CANCELED", "CANCELED", self.cancelled, {}, {}))
        rest = Counter(
            {
                item["uid"]: int(item["quantity"]) - gone[item["uid"]]
                for item in self.content["line_items"]
                if "catalog_object_id" in item and int(item["quantity"]) > gone[item["uid"]]
            }
        )
        if rest or not fulfillments:
            placed = {"placed_at": self.content["created_at"]}
            fulfillments.insert(0, _fulfillment("OPEN", "PROPOSED", rest, placed, {}))
        for fulfillment in fulfillments:
            for name, fields in self.edits.get(fulfillment["uid"], {}).items():
                fulfillment[name] = {**fields, **fulfillment.get(name, {})}
        self.content["fulfillments"] = fulfillments
        return [
            {
                "fulfillment_uid": each["uid"],
                **({"old_state": before[each["uid"]]} if each["uid"] in before else {}),
                "new_state": each["state"],
            }
            for each in fulfillments
            if before.get(each["uid"]) != each["state"]
        ]


def _fulfillment(
    uid: str, state: str, units: Mapping[str, int], details: Mapping[str, str], metadata: Mapping[str, str]
) -> Json:
    fields: Json = {
        "uid": uid,
        "type": "SHIPMENT",
        "state": state,
        "line_item_application": "ENTRY_LIST",
        "entries": [
            {"uid": f"{uid}-{line}", "line_item_uid": line, "quantity": str(count)} for line, count in units.items()
        ],
        "shipment_details": dict(details),
    }
    return {**fields, "metadata": dict(metadata)} if metadata else fields
