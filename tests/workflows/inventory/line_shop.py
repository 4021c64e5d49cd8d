"""Thirty products of one store, all shown too low, and the shop over HTTP that shows them: the real line, small."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.corrections.corrections_channel import Channel, HttpWriter, run_channel
from tests.transform.transform_facts import (
    Facts,
    at,
    demo_tenant,
    listing_id,
    netsuite_item,
    netsuite_level,
    shopify_listing,
    shopify_variant,
)

from trueup.corrections.engine.correct import CorrectionReport, correct
from trueup.corrections.engine.proposal import ProposalReport
from trueup.corrections.engine.propose import propose
from trueup.corrections.policies import POLICIES
from trueup.gates.run import run_gates

MAIN = "shopify_main"
COUNT = 30
ON_HAND, SHOWN, TARGET = 100, 60, 99  # the store keeps one back
LENIENT: Mapping[str, float] = {"largest_share": 1, "largest_jump": 400, "canary_share": 0}


@dataclass
class Shop:
    """Thirty products of one store, all shown too low, and the shop that shows them."""

    facts: Facts
    channel: Channel
    writer: HttpWriter

    def guard(self, **guards: float) -> None:
        """Declare the store's guards; what is not named lets everything through."""
        channels = demo_tenant().model_dump(mode="json")["channels"]
        channels[MAIN]["guards"] = {**LENIENT, **guards}
        self.facts.declare(demo_tenant(channels=channels))

    def publish(self) -> ProposalReport:
        """Build, validate, propose."""
        facts = self.facts
        facts.build()
        run_gates(facts.details, facts.configuration, run_id="publish")
        return propose(facts.details, facts.configuration, POLICIES, run_id="publish", actor="test")

    def correct(self) -> CorrectionReport:
        facts = self.facts
        return correct(
            facts.details, facts.configuration, POLICIES, {MAIN: self.writer}, run_id="correct", actor="test"
        )

    def reread(self) -> None:
        """The store was read again just now."""
        self.facts.position(MAIN, "listings", last_read_started_at=datetime.now(UTC))

    @property
    def sent(self) -> list[str]:
        """Every record that was in a call."""
        return [record for call in self.channel.calls for record in call]

    @property
    def untouched(self) -> int:
        """Listings that show what they showed."""
        return sum(quantity == SHOWN for quantity in self.channel.quantities.values())


@contextmanager
def open_shop(facts: Facts) -> Iterator[Shop]:
    """What the store and its sources say has landed; nothing is built yet."""
    numbers = range(1, COUNT + 1)
    facts.land(netsuite_item(f"{1000 + number}", f"HV-9{number:04}") for number in numbers)
    facts.land(shopify_variant(str(number), f"HV-9{number:04}") for number in numbers)
    facts.land(netsuite_level(f"{1000 + number}", ON_HAND, at(0)) for number in numbers)
    facts.land(shopify_listing(str(number), SHOWN, at(0)) for number in numbers)
    channel = Channel(quantities={listing_id(str(number)): SHOWN for number in numbers})
    with run_channel(channel) as url:
        shop = Shop(facts, channel, HttpWriter(url))
        shop.guard()
        shop.reread()
        yield shop
