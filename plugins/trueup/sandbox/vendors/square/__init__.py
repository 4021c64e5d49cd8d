"""Square, simulated: tills, their counts and changes, and the online listing that hangs on a location of its own.

Left out deliberately: what `LEFT_OUT` in tests/contract/test_square_sdk.py lists, with the reasons.
"""
