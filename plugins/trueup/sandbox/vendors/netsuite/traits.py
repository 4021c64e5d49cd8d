"""NetSuite: clerks key in what happened, up to an hour later."""

from typing import Final

from trueup.sandbox.world.clock import MINUTE

RECORDING_DELAY: Final = (5 * MINUTE, 60 * MINUTE)
"""Shortest and longest seconds from what happens to the books."""
