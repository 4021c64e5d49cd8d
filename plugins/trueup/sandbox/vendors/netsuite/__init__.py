"""NetSuite, simulated: SuiteQL over real tables, the record API, certificate OAuth, account-wide concurrency.

Left out deliberately: asynchronous requests (`Prefer: respond-async`), SuiteTalk SOAP and RESTlets.
"""
