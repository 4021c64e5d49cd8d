"""Reads a file of real transactions in the layout of the UCI Online Retail II data set.

Parquet or CSV (or a folder of CSV files), under either naming of the columns: `Invoice ... Customer ID` or
`InvoiceNo ... CustomerID`. Nothing is cleaned: letter cases, missing descriptions and duplicate lines are
kept, as the systems that they are replayed through have to live with them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = {
    "invoice": ("Invoice", "InvoiceNo"),
    "code": ("StockCode",),
    "description": ("Description",),
    "quantity": ("Quantity",),
    "at": ("InvoiceDate",),
    "price": ("Price", "UnitPrice"),
    "customer": ("Customer ID", "CustomerID"),
    "country": ("Country",),
}
_PRODUCT_CODE = re.compile(r"\d{5}[A-Za-z]*")


class LineKind(StrEnum):
    """What a line of the file is replayed as. The first rule that fits decides, in this order."""

    BAD_DEBT = "bad_debt"  # the invoice starts with A: money, no goods
    CANCELLATION = "cancellation"  # the invoice starts with C
    WRITE_OFF = "write_off"  # any other negative quantity
    SHOP = "shop"  # the invoice has a customer
    TILL = "till"  # it has none


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file. `customer` is digits, None where the file has none."""

    invoice: str
    code: str
    description: str | None
    quantity: int
    at: datetime
    price: float
    customer: str | None
    country: str

    @property
    def kind(self) -> LineKind:
        if self.invoice.upper().startswith("A"):
            return LineKind.BAD_DEBT
        if self.invoice.upper().startswith("C"):
            return LineKind.CANCELLATION
        if self.quantity < 0:
            return LineKind.WRITE_OFF
        return LineKind.TILL if self.customer is None else LineKind.SHOP

    @property
    def sku(self) -> str | None:
        """The product, in one letter case; None for postage, fees, samples and all else without a stock code."""
        return self.code.upper() if _PRODUCT_CODE.fullmatch(self.code) else None


@lru_cache(maxsize=2)
def read_transactions(path: Path, days: int | None) -> tuple[Row, ...]:
    """The lines of the first `days` trading days (None: all), in order of time, then of the file.

    Raises `ValueError` where the file is of another layout, naming it and what is missing.
    """
    table = _read(path)
    require_layout(path, table.column_names)
    if days is not None:
        # Cut first: a whole year is half a million lines, and twenty days are what a test replays.
        dates = [str(value)[:10] for value in table.column(_named(table, _COLUMNS["at"])).to_pylist()]
        wanted = frozenset(sorted(set(dates))[:days])
        table = table.filter([value in wanted for value in dates])
    return tuple(sorted(_rows(table), key=lambda row: row.at))


def require_layout(path: Path, columns: Sequence[str] | None = None) -> None:
    """Raise `ValueError` naming every column that the file lacks. `columns` None: look into the file."""
    found = _columns(path) if columns is None else columns
    if missing := [" or ".join(names) for names in _COLUMNS.values() if not set(names) & set(found)]:
        raise ValueError(
            f"{path} is not in the layout of the UCI Online Retail II data set: it has no column {', '.join(missing)};"
            f" it has {', '.join(found) or 'none'}"
        )


def _columns(path: Path) -> list[str]:
    """The names alone: a year's file need not be read for them."""
    import pyarrow.csv
    import pyarrow.parquet

    if path.is_dir():
        return list(dict.fromkeys(name for file in _files(path) for name in _columns(file)))
    if path.suffix == ".parquet":
        return list(pyarrow.parquet.read_schema(path).names)
    with pyarrow.csv.open_csv(path) as reader:
        return list(reader.schema.names)


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise ValueError(f"{folder} has no CSV files")
    return files


def _read(path: Path) -> "pa.Table":
    # Imported here: most worlds are invented, and pyarrow is half of what a sandbox would weigh.
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if path.is_dir():
        return pa.concat_tables([_read(file) for file in _files(path)])
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path)
    every_column = {name: pa.string() for names in _COLUMNS.values() for name in names}
    return pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=every_column))


def _rows(table: "pa.Table") -> Iterator[Row]:
    columns = {name: table.column(_named(table, names)).to_pylist() for name, names in _COLUMNS.items()}
    for values in zip(*columns.values(), strict=True):
        content = dict(zip(columns, values, strict=True))
        yield Row(
            invoice=str(content["invoice"]),
            code=str(content["code"]),
            description=_text(content["description"]),
            quantity=int(content["quantity"]),
            at=_moment(content["at"]),
            price=float(content["price"]),
            customer=_customer(content["customer"]),
            country=str(content["country"]),
        )


def _named(table: "pa.Table", names: Sequence[str]) -> str:
    return next(name for name in names if name in table.column_names)


def _text(value: Any) -> str | None:  # noqa: ANN401 - a cell
    return None if value is None or str(value).strip() in ("", "nan") else str(value)


def _moment(value: Any) -> datetime:  # noqa: ANN401 - a cell
    return value.replace(tzinfo=None) if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def _customer(value: Any) -> str | None:  # noqa: ANN401 - a cell
    text = _text(value)
    return None if text is None else text.removesuffix(".0")
