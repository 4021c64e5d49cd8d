"""Carries out what people set out to do, against what the channels show and what is really there."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from trueup.sandbox.demand import DAY, Demand
from trueup.sandbox.entries import Order, OrderLine, TillReturned, TillSold
from trueup.sandbox.fulfilment import HOUR, MINUTE, Fulfilment
from trueup.sandbox.intents import Intent, ShopVisit, TillVisit, Wanted, WholesaleCall
from trueup.sandbox.operations import Operations
from trueup.sandbox.places import CHANNELS
from trueup.sandbox.truth import LostSale, Oversold
from trueup.sandbox.world import Kind, World

CLOSING_HOUR = 20
_TILL_RETURN_CHANCE = 0.02
_OFFLINE_TILL_CHANCE = 0.05
_ORDER_NAMES: Mapping[str | None, tuple[str, int]] = {
    "shopify_main": ("#", 1001),
    "shopify_outlet": ("#OUT", 1001),
    "square_online": ("SQ", 1001),
    None: ("SO-", 5001),
}


class Trade:
    """The life of a world: attaches itself and starts anew with every reset."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.on_reset(self._begin)
        self._begin_counters()

    def _begin_counters(self) -> None:
        self.fulfilment = Fulfilment(self._world)
        self.operations = Operations(self._world)
        self._next_order = {channel_id: first for channel_id, (_, first) in _ORDER_NAMES.items()}
        self._next_receipt = 1
        self._missed: dict[str, int] = {}
        self.sold_units: dict[str, int] = defaultdict(int)
        self.refused_visits: dict[str, int] = defaultdict(int)
        self.counts: dict[str, int] = defaultdict(int)
        self.is_quiet = False

    def _begin(self) -> None:
        self._begin_counters()
        self._demand = Demand(self._world.settings, self._world.opening)
        midnight = self._world.clock.start.replace(hour=0, minute=0, second=0)
        self._midnight = self._world.clock.since_start(midnight)
        self._plan_day(0)

    def _plan_day(self, number: int) -> None:
        midnight = self._midnight + number * DAY
        for intent in self._demand.day(number, midnight):
            if intent.at >= self._world.clock.seconds:
                self._world.schedule(intent.at, Kind.DEMAND, self._action(intent))
        self._world.schedule(midnight + DAY, Kind.DEMAND, lambda: self._plan_day(number + 1))

    def _action(self, intent: Intent) -> Callable[[], None]:
        match intent:
            case ShopVisit():
                return lambda: self.shop(intent)
            case TillVisit():
                return lambda: self.buy_at_till(intent)
            case WholesaleCall():
                return lambda: self.take_wholesale(intent)
            case _:
                return lambda: self.operations.carry_out(intent)

    # -- people --------------------------------------------------------------------------------------------------

    def shop(self, visit: ShopVisit) -> None:
        """A customer buys each line that the channel shows enough of."""
        front = self._world.storefront(visit.channel_id)
        if front is None:
            return
        channel = CHANNELS[visit.channel_id]
        truth = self._world.truth
        bought: list[OrderLine] = []
        sold_here: dict[str, int] = defaultdict(int)
        shortages: list[tuple[OrderLine, int, int]] = []
        for index, line in enumerate(visit.lines):
            ordered = _order_line(f"{visit.key}-{index}", line)
            if line.sku is not None:
                shown = front.shown(line.sku)
                if shown is None:
                    continue
                shown -= sold_here.get(line.sku, 0)
                free = max(0, truth.free(line.sku, channel.served_by) - sold_here.get(line.sku, 0))
                if shown < line.quantity:
                    self._refuse(visit.channel_id, line.sku, line.quantity, shown, free)
                    continue
                sold_here[line.sku] += line.quantity
                if line.quantity > free:
                    shortages.append((ordered, shown, free))
            bought.append(ordered)
        if not any(line.sku is not None for line in bought):
            return
        order = self._order(visit.channel_id, bought, visit.country)
        for ordered, shown, free in shortages:
            self._oversell(visit.channel_id, order.name, ordered, shown, free)
        self.fulfilment.accept(visit.key, order, channel.served_by)
        for sku, units in sold_here.items():
            self.sold_units[visit.channel_id] += units
            self._world.remember(
                sku, "order", order.placed_at, channel_id=visit.channel_id, order=order.name, units=units
            )
        self._world.note("order", order=order.name, channel_id=visit.channel_id, lines=_told(bought))

    def buy_at_till(self, visit: TillVisit) -> None:
        """A customer takes what lies on the shelf and is not put aside for an order."""
        taken = []
        for index, line in enumerate(visit.lines):
            units = line.quantity
            if line.sku is not None:
                units = min(units, max(0, self._world.truth.free_at(line.sku, visit.location_id)))
                if units == 0:
                    continue
                self._world.truth.move(line.sku, visit.location_id, -units)
            taken.append(_order_line(f"{visit.key}-{index}", line, units))
        if not taken:
            return
        reference = f"R{self._next_receipt:07d}"
        self._next_receipt += 1
        dice = self._world.dice(visit.key, "till")
        delay = dice.randint(5 * MINUTE, 30 * MINUTE) if dice.random() < _OFFLINE_TILL_CHANCE else 0
        header = self._world.header("square", delay)
        sale = TillSold(**header, reference=reference, location_id=visit.location_id, lines=tuple(taken))
        self._world.post(sale)
        for sold in taken:
            if sold.sku is not None:
                self._world.remember(
                    sold.sku, "till_sale", sale.recorded_at, location_id=visit.location_id, units=sold.quantity
                )
        self.sold_units[visit.location_id] += sum(line.quantity for line in taken if line.sku is not None)
        self._world.note("till_sale", receipt=reference, location_id=visit.location_id, lines=_told(taken))
        if dice.random() < _TILL_RETURN_CHANCE and visit.invoice is None:
            back = self._world.clock.seconds + dice.randint(1, 48) * HOUR
            self._world.schedule(back, Kind.DEMAND, lambda: self.return_to_till(sale))

    def return_to_till(self, sale: TillSold) -> None:
        """A customer brings everything of a receipt back."""
        goods = tuple(line for line in sale.lines if line.sku is not None)
        if not goods:
            return
        for line in goods:
            if line.sku is not None:
                self._world.truth.move(line.sku, sale.location_id, line.quantity)
        header = self._world.header("square", 0, order_name=sale.reference)
        self._world.post(
            TillReturned(
                **header,
                reference=f"X{sale.reference}",
                sold_reference=sale.reference,
                location_id=sale.location_id,
                lines=goods,
            )
        )
        self._world.note("till_return", receipt=sale.reference, location_id=sale.location_id, lines=_told(goods))

    def take_wholesale(self, call: WholesaleCall) -> None:
        """The clerk promises no more than is free."""
        lines = []
        for index, line in enumerate(call.lines):
            if line.sku is None:
                continue
            units = min(line.quantity, max(0, self._world.truth.free_at(line.sku, "WH-EAST")))
            if units:
                lines.append(_order_line(f"{call.key}-{index}", line, units))
        if not lines:
            return
        order = self._order(None, lines, "GB")
        self.fulfilment.accept(call.key, order, ("WH-EAST",))
        for ordered in lines:
            if ordered.sku is not None:
                self._world.remember(
                    ordered.sku, "wholesale_order", order.placed_at, order=order.name, units=ordered.quantity
                )
        self._world.note("order", order=order.name, channel_id=None, lines=_told(lines))

    def _order(self, channel_id: str | None, lines: Iterable[OrderLine], country: str) -> Order:
        prefix, _ = _ORDER_NAMES[channel_id]
        number = self._next_order[channel_id]
        self._next_order[channel_id] += 1
        return Order(f"{prefix}{number}", channel_id, self._world.now(), country, tuple(lines))

    # -- what it cost --------------------------------------------------------------------------------------------

    def _refuse(self, channel_id: str, sku: str, wanted: int, shown: int, free: int) -> None:
        """A customer leaves. Units that lay there are lost, each of them once: it could have been sold once."""
        self.refused_visits[channel_id] += 1
        everywhere = sum(max(0, self._world.truth.free_at(sku, place)) for place in self._places_of(sku))
        already = min(self._missed.get(sku, 0), everywhere)
        units = min(wanted, max(0, free - already))
        self._missed[sku] = already + units
        if units:
            truth = self._world.truth
            truth.lost.append(LostSale(channel_id, sku, units, wanted, shown, free, self._world.now()))
            self._world.note("lost_sale", channel_id=channel_id, sku=sku, units=units, shown=shown, free=free)

    def _places_of(self, sku: str) -> list[str]:
        served = {place for channel in CHANNELS.values() for place in channel.served_by}
        return [place for place in served if (sku, place) in self._world.truth.physical]

    def _oversell(self, channel_id: str, order_name: str, line: OrderLine, shown: int, free: int) -> None:
        if line.sku is None:
            return
        world, units = self._world, line.quantity - free
        world.truth.oversold.append(
            Oversold(
                channel_id,
                order_name,
                line.line_id,
                line.sku,
                units,
                line.quantity,
                shown,
                free,
                world.now(),
                world.real_time(),
                world.facts_about(line.sku),
            )
        )
        world.note(
            "oversold", channel_id=channel_id, order=order_name, sku=line.sku, units=units, shown=shown, free=free
        )

    # -- time ----------------------------------------------------------------------------------------------------

    def seconds_until_close(self) -> int:
        """Until the current trading day closes; the next day's close when it has."""
        now = self._world.now()
        close = now.replace(hour=CLOSING_HOUR, minute=0, second=0)
        if close <= now:
            close += timedelta(days=1)
        return int((close - now).total_seconds())

    def quiet(self, *, is_shipping: bool = True, is_counting: bool = False) -> None:
        """Stop what people do, and let time pass until every paper has arrived.

        `is_shipping` also works off the open orders, else they stay open. `is_counting` has every shelf
        counted first, so that the books hold what the shelves hold.
        """
        world = self._world
        with world.lock:
            self.is_quiet = True
            world.park(frozenset({Kind.DEMAND} if is_shipping else {Kind.DEMAND, Kind.WORK}))
            if is_shipping:
                world.drain(frozenset({Kind.WORK}))
            world.drain(frozenset({Kind.RECORD}))
            if is_counting:
                self.operations.count_everything()
                world.drain(frozenset({Kind.RECORD}))

    def resume(self) -> None:
        """Let people come again."""
        with self._world.lock:
            self.is_quiet = False
            self._world.unpark()


def _order_line(line_id: str, line: Wanted, quantity: int | None = None) -> OrderLine:
    units = line.quantity if quantity is None else quantity
    return OrderLine(line_id, line.sku, line.code, line.title, units, line.unit_price_minor)


def _told(lines: Iterable[OrderLine]) -> list[dict[str, Any]]:
    return [{"line_id": line.line_id, "sku": line.sku, "code": line.code, "quantity": line.quantity} for line in lines]
