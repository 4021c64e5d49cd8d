"""BigCommerce: one store's API over its own books, from the published contract."""
