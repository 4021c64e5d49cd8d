"""The vendors' APIs, simulated over one shared world. Never imports the connectors.

`world.py` is the world, `simulator.py` says how a vendor plugs in, `server.py` serves it all on one port.
"""
