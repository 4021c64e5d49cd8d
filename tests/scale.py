"""How much the tests do whose work has no natural end: a long run does more of it.

`make test` runs them once over, `make test-nightly` with TRUEUP_TEST_SCALE=4: more days, deaths and random examples.
"""

import os

import pytest

SCALE = int(os.environ.get("TRUEUP_TEST_SCALE", "1"))
scaled = pytest.mark.scaled
