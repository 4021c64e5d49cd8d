"""The vendors' own APIs over the world, one folder a vendor: a system is answered by its vendor's `SIMULATOR`."""
