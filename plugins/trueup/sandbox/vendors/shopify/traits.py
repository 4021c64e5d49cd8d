"""Shopify: the channel's own books follow payments, edits, returns and the plan of who ships what."""

from typing import Final

FOLLOWS_ORDERS: Final = True
"""The world tells this vendor of everything that happens to its orders, not only of units."""
