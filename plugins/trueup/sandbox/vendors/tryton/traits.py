"""Tryton: clerks key in what happened, within half an hour."""

from typing import Final

from trueup.sandbox.world.clock import MINUTE

RECORDING_DELAY: Final = (2 * MINUTE, 30 * MINUTE)
"""Shortest and longest seconds from what happens to the books."""
