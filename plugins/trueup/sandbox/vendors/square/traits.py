"""Square: tills book at once, or nearly."""

from typing import Final

from trueup.sandbox.world.clock import MINUTE

RECORDING_DELAY: Final = (0, 3 * MINUTE)
"""Shortest and longest seconds from what happens to the books."""
