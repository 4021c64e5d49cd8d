"""Shopify's Admin GraphQL API, version 2026-10: the part a stock sync needs, executed for real.

Draft orders, prices and publications are absent on purpose: they hold no stock.
"""
