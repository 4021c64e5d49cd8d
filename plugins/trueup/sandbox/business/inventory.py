"""What happens to stock besides selling it: lorries, breakages, losses, counts, transfers, staff at the keyboard."""

from trueup.sandbox.business.order_documents import recording_delay
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import HOUR
from trueup.sandbox.world.entries import LevelCopied, MovementKind, StockCounted, StockMoved
from trueup.sandbox.world.intents import CountRound, Delivery, Intent, Mishap, Move, NightlyCopy, StaffEdit
from trueup.sandbox.world.world import World

_TRANSFER_SECONDS = 3 * HOUR


class Operations:
    """Carries out everything that no customer starts."""

    def __init__(self, world: World) -> None:
        self._world = world

    def carry_out(self, intent: Intent) -> None:
        """Do it now."""
        match intent:
            case Delivery():
                for sku, quantity in intent.lines:
                    self.receive(sku, intent.location_id, quantity, key=intent.key)
            case CountRound():
                for sku in intent.skus:
                    self.count(sku, intent.location_id, reference=intent.key)
            case Move():
                self._move(intent)
            case StaffEdit():
                self._edit(intent)
            case NightlyCopy():
                self._copy(intent)
            case _:
                raise TypeError(f"nobody knows how to carry out a {type(intent).__name__}")

    def receive(self, sku: str, location_id: str, quantity: int, *, key: str) -> None:
        """Goods are put on the shelf; the documents follow."""
        self._world.truth.move(sku, location_id, quantity)
        self._book(MovementKind.RECEIPT, sku, location_id, quantity, f"PO-{key}", "delivery", key)
        self._world.note("received", sku=sku, location_id=location_id, units=quantity)

    def count(self, sku: str, location_id: str, *, reference: str) -> int:
        """Count a shelf and book the figure at once. Returns it.

        The figure leaves units in whose documents are still under way, as a stocktaker with the open
        papers in hand does: else they would be booked twice.
        """
        figure = self._world.truth.physical.get((sku, location_id), 0) - self._world.unrecorded(sku, location_id)
        if figure < 0:
            # Nobody counts less than nothing: more is under way to the books than lies there, so it waits for those.
            return figure
        system_id = self._world.layout.locations[location_id].system_id
        header = self._world.header(system_id, 0)
        counted = StockCounted(**header, sku=sku, location_id=location_id, counted=figure, reference=reference)
        self._world.post(counted)
        self._world.note("counted", sku=sku, location_id=location_id, figure=figure)
        return figure

    def count_everything(self) -> None:
        """Count every shelf where the book is wrong."""
        for (sku, location_id), units in self._world.truth.physical.items():
            book = self._world.books[self._world.layout.locations[location_id].system_id]
            if book.on_hand(sku, location_id) != units - self._world.unrecorded(sku, location_id):
                self.count(sku, location_id, reference="stocktake")

    def lose(self, sku: str, location_id: str, quantity: int) -> int:
        """Units vanish and nobody notices. Returns how many there were to vanish."""
        units = min(quantity, max(0, self._world.truth.free_at(sku, location_id)))
        if units:
            self._world.truth.move(sku, location_id, -units)
            self._world.remember(sku, "vanished", None, location_id=location_id, units=units)
            self._world.note("vanished", sku=sku, location_id=location_id, units=units)
        return units

    def edit(self, channel_id: str, sku: str, quantity: int) -> None:
        """Somebody types a quantity into a channel."""
        front = self._world.storefront(channel_id)
        if front is None:
            raise KeyError(channel_id)
        before = front.shown(sku)
        if before is None:
            raise KeyError(sku)
        front.edit(sku, quantity)
        self._world.note_channel_write(channel_id, sku, before, quantity, "staff")

    def break_or_lose(self, mishap: Mishap) -> int:
        """Return the units that were there to break or vanish."""
        if not mishap.is_noticed:
            return self.lose(mishap.sku, mishap.location_id, mishap.quantity)
        units = min(mishap.quantity, max(0, self._world.truth.free_at(mishap.sku, mishap.location_id)))
        if units:
            self._world.truth.move(mishap.sku, mishap.location_id, -units)
            self._book(
                MovementKind.DAMAGE, mishap.sku, mishap.location_id, -units, f"DM-{mishap.key}", mishap.memo, mishap.key
            )
            self._world.note("damaged", sku=mishap.sku, location_id=mishap.location_id, units=units)
        return units

    def put_back(self, sku: str, location_id: str, quantity: int, *, key: str, memo: str) -> None:
        """Units turn up that no order of ours explains; they are booked as an adjustment."""
        self._world.truth.move(sku, location_id, quantity)
        self._book(MovementKind.ADJUST, sku, location_id, quantity, f"AD-{key}", memo, key)
        self._world.note("put_back", sku=sku, location_id=location_id, units=quantity)

    def _move(self, move: Move) -> None:
        units = min(move.quantity, max(0, self._world.truth.free_at(move.sku, move.from_location_id)))
        if not units or (move.sku, move.to_location_id) not in self._world.truth.physical:
            return
        reference = f"TR-{move.key}"
        self._world.truth.move(move.sku, move.from_location_id, -units)
        self._book(MovementKind.TRANSFER, move.sku, move.from_location_id, -units, reference, "to store", move.key)

        def arrive() -> None:
            self._world.truth.move(move.sku, move.to_location_id, units)
            self._book(MovementKind.TRANSFER, move.sku, move.to_location_id, units, reference, "from store", move.key)
            self._world.note("transferred", sku=move.sku, location_id=move.to_location_id, units=units)

        self._world.schedule(self._world.clock.seconds + _TRANSFER_SECONDS, Kind.WORK, arrive)

    def _edit(self, edit: StaffEdit) -> None:
        front = self._world.storefront(edit.channel_id)
        shown = None if front is None else front.shown(edit.sku)
        if shown is not None:
            self.edit(edit.channel_id, edit.sku, max(0, shown + edit.change))

    def _copy(self, copy: NightlyCopy) -> None:
        """The ERP's copies of other locations' figures: once a night, and not all of them."""
        dice = self._world.dice(copy.key)
        layout = self._world.layout
        erp = self._world.books[layout.erp]
        for location in layout.locations.values():
            if location.system_id == layout.erp:
                continue
            book = self._world.books[location.system_id]
            for (sku, location_id), level in book.levels.items():
                is_skipped = dice.random() < 0.1
                if location_id != location.location_id or is_skipped or erp.on_hand(sku, location_id) == level.on_hand:
                    continue
                header = self._world.header(layout.erp, 0)
                self._world.post(LevelCopied(**header, sku=sku, location_id=location_id, quantity=level.on_hand))

    def _book(
        self, kind: MovementKind, sku: str, location_id: str, delta: int, reference: str, memo: str, key: str
    ) -> None:
        system_id = self._world.layout.locations[location_id].system_id
        delay = self._world.dice(key, kind, sku, location_id).randint(
            *recording_delay(self._world.layout.vendors[system_id])
        )
        header = self._world.header(system_id, delay)
        moved = StockMoved(
            **header, kind=kind, sku=sku, location_id=location_id, delta=delta, reference=reference, memo=memo
        )
        self._world.post(moved)
        self._world.remember(sku, kind.value, moved.recorded_at, location_id=location_id, units=delta)
