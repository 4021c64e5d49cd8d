"""How finely a currency is counted is one fact, told in Python and in SQL."""

import re
from decimal import Decimal
from pathlib import Path

from trueup.domain.currencies import THOUSANDTHS, WHOLE, digits_of, minor_unit

MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "money.sql"


def test_sql_counts_every_currency_as_python_does() -> None:
    """An amount that one side takes for cents and the other for whole units is a hundred times too much."""
    macro = re.search(r"macro minor_unit.*?endmacro", MACROS.read_text(encoding="utf-8"), re.DOTALL)
    assert macro is not None
    whole, thousandths = (frozenset(re.findall(r"'([A-Z]{3})'", part)) for part in macro[0].split("then 1\n"))
    assert (whole, thousandths) == (WHOLE, THOUSANDTHS)


def test_the_minor_unit_has_the_digits_of_the_currency() -> None:
    assert {code: digits_of(code) for code in ("GBP", "ISK", "KWD")} == {"GBP": 2, "ISK": 0, "KWD": 3}
    assert [minor_unit(code) for code in ("GBP", "ISK", "KWD")] == [Decimal("0.01"), Decimal(1), Decimal("0.001")]
