"""ShipBob, simulated: one fulfilment centre, its stock, the history of it, and the orders it ships.

Left out deliberately: receiving orders, returns as objects of their own, and everything that writes but webhooks.
"""
