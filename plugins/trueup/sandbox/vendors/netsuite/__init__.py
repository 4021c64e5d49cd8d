"""NetSuite, simulated: SuiteQL over real tables, the record API, certificate OAuth, account-wide concurrency.

Left out deliberately: SuiteTalk SOAP and RESTlets.
"""
