"""What happens to orders besides being shipped, cancelled and sent back: edits, holds, moves, exchanges, apologies.

Only where the settings ask for it (`order_incidents`), at channels whose vendor follows orders. Each order has dice of
its own for each kind of incident.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from trueup.sandbox.business.fulfilment import Fulfilment, OpenOrder
from trueup.sandbox.business.order_documents import ReturnTerms, follows_orders
from trueup.sandbox.business.pricing import Pricing, pricing_of
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import DAY, HOUR, MINUTE
from trueup.sandbox.world.entries import (
    GIFT_CARD,
    TIP,
    AmountRefunded,
    LineQuantity,
    OrderEdited,
    OrderLine,
    PlanChange,
    PlanChanged,
)
from trueup.sandbox.world.intents import ShopVisit
from trueup.sandbox.world.world import World

_RATES: Mapping[str, float] = {
    "tip": 0.05,
    "gift card": 0.04,
    "unit off": 0.04,
    "service added": 0.03,
    "goods added": 0.03,
    "hold": 0.04,
    "move": 0.05,
    "split": 0.05,
    "apology": 0.03,
    "announced": 0.25,
    "exchange": 0.25,
}
"""How often at intensity 1: of all orders, the last two of all returns."""
_SOON = (2 * MINUTE, 20 * MINUTE)
_APOLOGY_AFTER = (1 * DAY, 3 * DAY)
_HOLD_FOR = (1 * HOUR, 6 * HOUR)


class Incidents:
    """Strikes orders."""

    def __init__(self, world: World, fulfilment: Fulfilment) -> None:
        self._world = world
        self._fulfilment = fulfilment
        if world.settings.order_incidents:
            fulfilment.bring_back = self.bring_back

    def extras(self, visit: ShopVisit) -> list[OrderLine]:
        """Lines that a customer adds at the checkout and that are no goods."""
        found = []
        if visit.invoice is None and self._is_followed(visit.channel_id):
            if self._strikes(visit.key, "tip"):
                found.append(OrderLine(f"{visit.key}-tip", None, TIP, "Tip", 1, 200))
            if self._strikes(visit.key, "gift card"):
                found.append(OrderLine(f"{visit.key}-gift", None, GIFT_CARD, "Gift card", 1, 2_500))
        return found

    def follow(self, accepted: OpenOrder) -> None:
        """Plan what will happen to an order."""
        channel_id = accepted.order.channel_id
        if not accepted.is_fickle or channel_id is None or not self._is_followed(channel_id):
            return
        plans: Mapping[str, tuple[tuple[int, int], Callable[[OpenOrder], None]]] = {
            "unit off": (_SOON, self._take_unit_off),
            "service added": (_SOON, self._add_service),
            "goods added": (_SOON, self._add_goods),
            "hold": (_SOON, self._hold),
            "move": (_SOON, self._move),
            "split": (_SOON, self._split),
            "apology": (self._world.settings.soon(_APOLOGY_AFTER), self._apologise),
        }
        for name, (bounds, action) in plans.items():
            if self._strikes(accepted.key, name):
                at = self._world.clock.seconds + self._draw(bounds, accepted.key, name)
                self._world.schedule(at, Kind.DEMAND, partial(action, accepted))

    def bring_back(self, accepted: OpenOrder, location_id: str, lines: Sequence[LineQuantity]) -> int:
        """Goods come back: refunded, only taken in, or exchanged for something else."""
        key, channel_id = f"{accepted.key}-{lines[0].line_id}", accepted.order.channel_id
        if channel_id is None or not self._is_followed(channel_id):
            return self._fulfilment.take_back(accepted, location_id, lines)
        is_refunded = not self._strikes(key, "announced")
        wanted = self._free_goods(accepted) if self._strikes(key, "exchange") else None
        if wanted is None:
            return self._fulfilment.take_back(accepted, location_id, lines, ReturnTerms(is_refunded=is_refunded))
        line = self._new_line(accepted, wanted)
        money = self._pricing(accepted, line.line_id).added((line,))
        taken = self._fulfilment.take_back(accepted, location_id, lines, ReturnTerms(is_refunded, (line,), money))
        if taken:
            self._supplement(accepted, line)
        return taken

    # -- edits ---------------------------------------------------------------------------------------------------

    def _take_unit_off(self, accepted: OpenOrder) -> None:
        part = next((each for each in accepted.parts if each.open), None)
        if part is None or sum(each.open for each in accepted.parts) < 2:
            return
        self._fulfilment.cancel(
            accepted, "edited", is_restocked=True, only_lines={part.line_id: 1}, is_taker_notified=False
        )
        removed = (LineQuantity(part.line_id, part.sku, 1),)
        self._edit(accepted, removed, ())

    def _add_service(self, accepted: OpenOrder) -> None:
        if accepted.is_open:
            wrapping = OrderLine(f"{accepted.key}-wrap", None, "GIFT-WRAP", "Gift wrapping", 1, 250)
            self._edit(accepted, (), (wrapping,))

    def _add_goods(self, accepted: OpenOrder) -> None:
        wanted = self._free_goods(accepted) if accepted.is_open else None
        if wanted is not None:
            line = self._new_line(accepted, wanted)
            self._edit(accepted, (), (line,))
            self._supplement(accepted, line)

    def _edit(self, accepted: OpenOrder, removed: tuple[LineQuantity, ...], added: tuple[OrderLine, ...]) -> None:
        order = accepted.order
        money = self._pricing(accepted, "edit").added(added)
        self._fulfilment.documents.tell_taker(
            order,
            lambda header, name: OrderEdited(
                **header,
                order_name=name,
                removed=removed,
                added=added,
                added_money=money,
                channel_id=order.channel_id,
            ),
            f"{accepted.key}-edit",
        )
        self._world.note("edited", order=order.name, channel_id=order.channel_id)

    def _free_goods(self, accepted: OpenOrder) -> str | None:
        """A product that lies free at a location of the order's channel, None where nothing does.

        None too where no integration of the retailer's tells the channel of parcels: those who ship know the goods as
        an order of their own, and only that integration knows which order of the channel it is part of.
        """
        channel = self._world.layout.channels[accepted.order.channel_id or ""]
        if channel.channel_id in self._world.layout.untold_channels:
            return None
        front = self._world.storefront(channel.channel_id)
        dice = self._world.dice("incidents", accepted.key, "goods", len(self._supplements(accepted)))
        listed = sorted(product.sku for product in self._world.catalogue.carried(channel.system_id))
        for sku in dice.sample(listed, min(20, len(listed))):
            if front is not None and front.shown(sku) and self._world.truth.free(sku, channel.served_by) > 0:
                return sku
        return None

    def _new_line(self, accepted: OpenOrder, sku: str) -> OrderLine:
        product = self._world.catalogue.products[sku]
        number = len(self._supplements(accepted)) + 1
        return OrderLine(f"{accepted.key}-X{number}", sku, sku, product.title, 1, product.price_minor)

    def _supplement(self, accepted: OpenOrder, line: OrderLine) -> None:
        """Those who ship know the goods as an order of their own."""
        order = accepted.order
        number = len(self._supplements(accepted)) + 1
        extra = replace(order, name=f"{order.name}-X{number}", lines=(line,), money=None, supplements=order.name)
        served_by = self._world.layout.channels[order.channel_id or ""].served_by
        self._fulfilment.accept(line.line_id, extra, served_by, is_fickle=False)

    def _supplements(self, accepted: OpenOrder) -> Sequence[OpenOrder]:
        return self._fulfilment.supplements.get(accepted.order.name, ())

    # -- plans ---------------------------------------------------------------------------------------------------

    def _hold(self, accepted: OpenOrder) -> None:
        if not accepted.is_open or any(part.shipped for part in accepted.parts):
            return
        until = self._world.clock.seconds + self._draw(_HOLD_FOR, accepted.key, "held for")
        accepted.held_until = until
        for location_id in accepted.locations():
            self._plan(accepted, PlanChange.HOLD, location_id, reason="HIGH_RISK_OF_FRAUD")
        self._world.schedule(until, Kind.WORK, partial(self._release, accepted))

    def _release(self, accepted: OpenOrder) -> None:
        for location_id in accepted.locations():
            self._plan(accepted, PlanChange.RELEASE, location_id)

    def _move(self, accepted: OpenOrder) -> None:
        served_by = self._world.layout.channels[accepted.order.channel_id or ""].served_by
        for here in accepted.locations():
            for there in served_by:
                if there != here and self._fulfilment.reroute(accepted, here, there):
                    self._plan(accepted, PlanChange.MOVE, here, there)
                    return

    def _split(self, accepted: OpenOrder) -> None:
        for location_id in accepted.locations():
            self._plan(accepted, PlanChange.SPLIT, location_id)
        if self._world.dice("incidents", accepted.key, "merged").random() < 0.5:
            at = self._world.clock.seconds + self._draw(_SOON, accepted.key, "merge")
            self._world.schedule(at, Kind.DEMAND, partial(self._merge, accepted))

    def _merge(self, accepted: OpenOrder) -> None:
        for location_id in accepted.locations():
            self._plan(accepted, PlanChange.MERGE, location_id)

    def _plan(
        self, accepted: OpenOrder, change: PlanChange, here: str, there: str | None = None, reason: str = ""
    ) -> None:
        self._fulfilment.documents.tell_taker(
            accepted.order,
            lambda header, name: PlanChanged(
                **header, order_name=name, change=change, location_id=here, to_location_id=there, reason=reason
            ),
            f"{accepted.key}-{change}-{here}",
        )

    # -- money ---------------------------------------------------------------------------------------------------

    def _apologise(self, accepted: OpenOrder) -> None:
        money = accepted.order.money
        if money is None:
            return
        amount = money.total.times(Decimal("0.1"))
        self._fulfilment.documents.tell_taker(
            accepted.order,
            lambda header, name: AmountRefunded(**header, order_name=name, amount=amount, reason="Sorry for the delay"),
            f"{accepted.key}-apology",
        )

    # -- dice ----------------------------------------------------------------------------------------------------

    def _is_followed(self, channel_id: str) -> bool:
        layout = self._world.layout
        vendor = layout.vendors[layout.channels[channel_id].system_id]
        return self._world.settings.order_incidents > 0 and follows_orders(vendor)

    def _strikes(self, key: str, name: str) -> bool:
        chance = _RATES[name] * self._world.settings.order_incidents
        return self._world.dice("incidents", key, name).random() < chance

    def _draw(self, bounds: tuple[int, int], *key: object) -> int:
        return self._world.dice("incidents", *key, "when").randint(*bounds)

    def _pricing(self, accepted: OpenOrder, key: str) -> Pricing:
        return pricing_of(
            self._world, accepted.order.channel_id or "", f"{accepted.order.name}-{key}", accepted.order.country
        )
