"""What the bell is called that a vendor's webhook rings: the web server rings it, a DAG listens to it."""


def webhook_bell(tenant: str, system: str) -> tuple[str, str]:
    """Name and URI of the asset."""
    return f"webhook/{tenant}/{system}", f"trueup://webhook/{tenant}/{system}"
