"""The life of a world: plans its days, and has each thing carried out by those whose business it is."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Protocol

from trueup.sandbox.business.demand import Demand
from trueup.sandbox.business.desk import Desk
from trueup.sandbox.business.fulfilment import Fulfilment
from trueup.sandbox.business.incidents import Incidents
from trueup.sandbox.business.inventory import Operations
from trueup.sandbox.business.orders import Customers
from trueup.sandbox.business.replay import Replay
from trueup.sandbox.business.returns import Reversals
from trueup.sandbox.business.transactions import read_transactions
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import DAY
from trueup.sandbox.world.intents import Intent, Mishap, Reversal, ShopVisit, TillVisit, WholesaleCall
from trueup.sandbox.world.world import World

CLOSING_HOUR = 21


class Source(Protocol):
    """Where the days come from: invented or replayed."""

    def day(self, number: int, midnight: int) -> list[Intent]:
        """Everything that will be attempted on day `number`, whose midnight is that second of the world."""
        ...


class Trade:
    """Attaches itself to the world and starts anew with every reset of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set_up()
        world.on_reset(self._begin)

    def _set_up(self) -> None:
        self.fulfilment = Fulfilment(self._world)
        self.operations = Operations(self._world)
        self.customers = Customers(self._world, self.fulfilment, Incidents(self._world, self.fulfilment))
        self._reversals = Reversals(self.customers, self.fulfilment, self.operations)
        self._world.desk = Desk(self.fulfilment)
        self.is_quiet = False

    def _begin(self) -> None:
        self._set_up()
        world = self._world
        settings = world.settings
        source: Source
        if settings.transactions is None:
            source = Demand(settings, world.opening)
        else:
            source = Replay(read_transactions(settings.transactions, settings.days))
        midnight = world.clock.start.replace(hour=0, minute=0, second=0)
        self._plan_day(source, world.clock.since_start(midnight), 0)

    def _plan_day(self, source: Source, first_midnight: int, number: int) -> None:
        midnight = first_midnight + number * DAY
        for intent in source.day(number, midnight):
            if intent.at >= self._world.clock.seconds:
                self._world.schedule(intent.at, Kind.DEMAND, self._action(intent))
        self._world.schedule(midnight + DAY, Kind.DEMAND, partial(self._plan_day, source, first_midnight, number + 1))

    def _action(self, intent: Intent) -> Callable[[], object]:
        match intent:
            case ShopVisit():
                return partial(self.customers.shop, intent)
            case TillVisit():
                return partial(self.customers.buy_at_till, intent)
            case WholesaleCall():
                return partial(self.customers.take_wholesale, intent)
            case Reversal():
                return partial(self._reversals.carry_out, intent)
            case Mishap():
                return partial(self._break, intent)
            case _:
                return partial(self.operations.carry_out, intent)

    def _break(self, mishap: Mishap) -> None:
        units = self.operations.break_or_lose(mishap)
        if mishap.is_noticed and units:
            self.customers.counts["write_off_lines"] += 1
            self.customers.counts["write_off_units"] += units

    def seconds_until_close(self) -> int:
        """Until the current trading day closes; the next day's close when it has."""
        now = self._world.now()
        close = now.replace(hour=CLOSING_HOUR, minute=0, second=0)
        if close <= now:
            close += timedelta(days=1)
        return int((close - now).total_seconds())

    def quiet(self, *, is_shipping: bool = True, is_counting: bool = False) -> None:
        """Stop what people do, and let time pass until every document has arrived.

        `is_shipping` also works off the open orders, else they stay open. `is_counting` has every shelf
        counted in the end, so that the books hold what the shelves hold.
        """
        world = self._world
        with world.lock:
            self.is_quiet = True
            world.drain(frozenset({Kind.WORK, Kind.RECORD} if is_shipping else {Kind.RECORD}))
            if is_counting:
                self.operations.count_everything()

    def resume(self) -> None:
        """Let people come again."""
        with self._world.lock:
            self.is_quiet = False
            self._world.unpark()
