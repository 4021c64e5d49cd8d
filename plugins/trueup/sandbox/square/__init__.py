"""Square, simulated: tills, their counts and changes, and the online listing that hangs on a location of its own.

Left out deliberately: payments, customers, cash drawers, and transfers made over the API (Square takes none either).
"""

from trueup.sandbox.square.simulator import SquareSimulator

__all__ = ["SquareSimulator"]
