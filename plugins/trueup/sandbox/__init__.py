"""The vendors' APIs, simulated over one shared world. Never imports the connectors."""
