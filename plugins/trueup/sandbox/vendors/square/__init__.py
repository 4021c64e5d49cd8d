"""Square, simulated: tills, their counts and changes, and the online listing that hangs on a location of its own.

Left out deliberately: payments, customers, cash drawers, and transfers made over the API (Square takes none either).
"""
