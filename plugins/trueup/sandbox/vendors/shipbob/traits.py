"""ShipBob: scanners upload in batches."""

from typing import Final

from trueup.sandbox.world.clock import MINUTE

RECORDING_DELAY: Final = (2 * MINUTE, 20 * MINUTE)
"""Shortest and longest seconds from what happens to the books."""
