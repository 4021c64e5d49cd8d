"""Square, simulated: tills, their counts, sales and payments, and the online listing with a location of its own.

Left out deliberately: customers, cash drawers, orders and payments made over the API, and transfers (Square takes none
over its API either). tests/connectors/contract/test_square_sdk.py lists every field and call that is left out, with the
reason.
"""
