"""Real transactions through the world: every line of the file once, as pandas counts them."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from trueup.cli.main import app
from trueup.sandbox.business.replay import store_of
from trueup.sandbox.business.trade import Trade
from trueup.sandbox.business.transactions import LineKind, read_transactions
from trueup.sandbox.naive import PlainShop, plain_world
from trueup.sandbox.world.layout import demo_layout
from trueup.sandbox.world.report import tell_truth
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.world import World

CHANNELS = demo_layout().channels

_DAYS = 5
_NAMES = (
    ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"),
    ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"),
)
HOME = "United Kingdom"
# invoice, code, description, quantity, moment, price, customer, country
ROWS = (
    ("1", "85123A", "LIGHT HOLDER", 6, "2010-12-01 08:26:00", 2.55, "17850", HOME),
    ("1", "85123a", "light holder", 4, "2010-12-01 08:26:00", 2.55, "17850", HOME),
    ("1", "POST", "POSTAGE", 1, "2010-12-01 08:26:00", 18.0, "17850", HOME),
    ("2", "71053", "LANTERN", 2, "2010-12-01 09:00:00", 3.39, "12583", "France"),
    ("3", "71053", None, 3, "2010-12-01 10:00:00", 3.39, None, HOME),
    ("3", "BANK CHARGES", None, 1, "2010-12-01 10:00:00", 15.0, None, HOME),
    ("4", "22112", "damages", -7, "2010-12-01 11:00:00", 0.0, None, HOME),
    ("5", "M", "Manual", 1, "2010-12-01 12:00:00", 9.0, "17850", HOME),
    ("C6", "85123A", "LIGHT HOLDER", -5, "2010-12-02 09:00:00", 2.55, "17850", HOME),
    ("C6", "D", "Discount", -1, "2010-12-02 09:00:00", 5.0, "17850", HOME),
    ("C7", "22112", "HOT WATER BOTTLE", -2, "2010-12-02 10:00:00", 4.95, "99999", HOME),
    ("C8", "71053", "LANTERN", -1, "2010-12-02 11:00:00", 3.39, None, HOME),
    ("A9", "B", "Adjust bad debt", 1, "2010-12-02 12:00:00", 11062.06, None, HOME),
    ("10", "71053", "LANTERN", 1, "2010-12-04 09:00:00", 3.39, "12583", "France"),
)


def write_csv(path: Path, names: Sequence[str] = _NAMES[0], *, is_float_customer: bool = False) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(names)
        for row in ROWS:
            customer = "" if row[6] is None else f"{row[6]}.0" if is_float_customer else row[6]
            writer.writerow([*("" if cell is None else cell for cell in row[:6]), customer, row[7]])
    return path


def live_through(settings: WorldSettings, days: int) -> tuple[World, Trade]:
    """Live through days with shops that always show what there is, as a perfect sync would."""
    world, trade, shops = plain_world(settings)
    for _ in range(days):
        show_the_truth(world, shops)
        world.step(trade.seconds_until_close())
    trade.quiet(is_counting=True)
    return world, trade


def show_the_truth(world: World, shops: dict[str, PlainShop]) -> None:
    for channel in CHANNELS.values():
        quantities = shops[channel.channel_id].front.quantities
        for sku in quantities:
            quantities[sku] = world.truth.free(sku, channel.served_by)


@pytest.mark.parametrize("names", _NAMES)
@pytest.mark.parametrize("is_float_customer", [False, True])
def test_both_layouts_read_the_same(tmp_path: Path, names: tuple[str, ...], is_float_customer: bool) -> None:  # noqa: FBT001
    """The data set goes round under two namings, with customers as numbers and as text."""
    rows = read_transactions(write_csv(tmp_path / "a.csv", names, is_float_customer=is_float_customer), None)
    assert [(row.invoice, row.code, row.quantity, row.customer) for row in rows] == [
        (row[0], row[1], row[3], row[6]) for row in ROWS
    ]
    assert [row.kind for row in rows if row.invoice in ("1", "3", "4", "C7", "A9")] == [
        *[LineKind.SHOP] * 3,
        *[LineKind.TILL] * 2,
        LineKind.WRITE_OFF,
        LineKind.CANCELLATION,
        LineKind.BAD_DEBT,
    ]


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    """With missing customers and descriptions as nulls."""
    frame = pd.DataFrame(ROWS, columns=list(_NAMES[0]))
    frame["Customer ID"] = frame["Customer ID"].astype("Int64")
    frame["InvoiceDate"] = pd.to_datetime(frame["InvoiceDate"])
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_transactions(tmp_path / "a.parquet", None) == read_transactions(write_csv(tmp_path / "a.csv"), None)


def test_a_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    """By the names of all that is missing, and what is there instead."""
    path = write_csv(tmp_path / "a.csv", ("No", *_NAMES[0][1:6], "Buyer", "Country"))
    with pytest.raises(ValueError, match=r"no column Invoice or InvoiceNo, Customer ID or CustomerID; it has No, "):
        read_transactions(path, None)


def test_the_command_line_says_what_a_file_lacks_before_it_starts_anything(tmp_path: Path) -> None:
    """One line, not a traceback of a process that died."""
    for name, content, said in (
        ("a.csv", b"a,b\n1,2\n", "no column Invoice or InvoiceNo, StockCode"),
        ("a.parquet", b"no parquet at all", "--world:"),
        ("a.csv", b"", "--world:"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        for command in (["demo", "--engine", "direct"], ["sandbox", "serve"]):
            answer = CliRunner().invoke(app, [*command, "--world", str(path), "--json"])
            assert answer.exit_code == 1, answer.output
            assert said in json.loads(answer.stdout)["error"]


def test_days_are_trading_days(tmp_path: Path) -> None:
    """A Sunday without trade is no day."""
    path = write_csv(tmp_path / "a.csv")
    assert {row.at.day for row in read_transactions(path, 2)} == {1, 2}
    world, trade = live_through(WorldSettings(transactions=path, days=3), 3)
    moments = [happening.at for happening in world.diary() if happening.facts.get("order") == "#OUT10"]
    assert (moments[0].day, moments[0].hour) == (world.settings.start.day + 2, 9)
    assert trade.customers.counts["shop_lines"] == 4


def test_nothing_was_booked_after_the_world_began(tmp_path: Path) -> None:
    """A count dated later than a delivery would swallow it, as Square's do."""
    world, _, _ = plain_world(WorldSettings(transactions=write_csv(tmp_path / "a.csv")))
    for system_id in ("netsuite", "shipbob", "square"):
        assert all(level.changed_at < world.settings.begins_at for level in world.opening_levels(system_id))


def test_every_line_does_what_its_kind_says(tmp_path: Path) -> None:
    """Two letter cases are one product; fees move nothing; what was cancelled is back once, wherever it came from."""
    settings = WorldSettings(transactions=write_csv(tmp_path / "a.csv"))
    opened = plain_world(settings)[0]
    world, trade = live_through(settings, 3)
    received: dict[tuple[str, str], int] = {}
    for happening in world.diary():
        if happening.kind == "received":
            key = (happening.facts["sku"], happening.facts["location_id"])
            received[key] = received.get(key, 0) + happening.facts["units"]

    def change(sku: str, location_id: str) -> int:
        key = (sku, location_id)
        return world.truth.physical[key] - opened.truth.physical[key] - received.get(key, 0)

    store = store_of("3")
    assert store_of("C8") in CHANNELS["square_online"].served_by
    till = {location_id: change("71053", location_id) for location_id in (store,)}
    assert change("85123A", "WH-EAST") == -10 + 5
    assert change("71053", "WH-EAST") == -2 - 1
    assert change("22112", "WH-EAST") == -7 + 2
    assert sum(till.values()) + (store_of("C8") != store) == -3 + 1
    assert dict(trade.customers.counts) == {
        "shop_lines": 4,
        "shop_units": 13,
        "till_lines": 1,
        "till_units": 3,
        "service_lines": 3,
        "write_off_lines": 1,
        "write_off_units": 7,
        "cancellation_lines": 3,
        "cancellation_units": 8,
        "reversed_service_lines": 1,
    }
    assert list(world.catalogue.products) == ["22112", "71053", "85123A"]
    codes = {line["code"] for happening in world.diary() for line in happening.facts.get("lines", ()) if "code" in line}
    assert codes >= {"85123A", "85123a", "POST", "BANK CHARGES", "M"}


@pytest.fixture(scope="module")
def real(shared_folder: Path) -> Path:
    return shared_folder / "data" / "online_retail_ii" / "year_2010_2011.parquet"


def test_the_real_file_is_replayed_line_by_line(real: Path) -> None:
    """Counts by kind, against pandas; and in the end every book holds what its shelf holds."""
    world, trade = live_through(WorldSettings(transactions=real, days=_DAYS), _DAYS)
    frame = pd.read_parquet(real)
    dates = frame["InvoiceDate"].astype(str).str[:10]
    frame = frame[dates.isin(sorted(dates.unique())[:_DAYS])]
    is_goods = frame["StockCode"].str.fullmatch(r"\d{5}[A-Za-z]*")
    is_cancelled = frame["Invoice"].str.startswith("C")
    is_negative = frame["Quantity"] < 0
    has_customer = frame["Customer ID"].notna()
    kinds = {
        "shop": ~is_cancelled & ~is_negative & has_customer,
        "till": ~is_cancelled & ~is_negative & ~has_customer,
        "cancellation": is_cancelled,
        "write_off": ~is_cancelled & is_negative,
    }
    expected = {}
    for kind, mask in kinds.items():
        expected[f"{kind}_lines"] = int((mask & is_goods).sum())
        expected[f"{kind}_units"] = int(frame.loc[mask & is_goods, "Quantity"].abs().sum())
    expected["service_lines"] = int(((kinds["shop"] | kinds["till"]) & ~is_goods).sum())
    expected["reversed_service_lines"] = int((is_cancelled & ~is_goods).sum())
    truth = tell_truth(world, trade)
    assert {kind: truth["counts"].get(kind, 0) for kind in expected} == expected
    assert (truth["oversold_units"], truth["lost_units"], truth["open_orders"]) == (0, 0, 0)
    assert [shelf for shelf in truth["shelves"] if shelf["book"] != shelf["physical"] or shelf["promised"]] == []
