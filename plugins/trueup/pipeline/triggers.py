"""The asset that a vendor's webhook triggers: the web server writes its events, a DAG is scheduled by it."""


def webhook_asset_name(tenant: str, system: str) -> tuple[str, str]:
    """Name and URI of the asset."""
    return f"webhook/{tenant}/{system}", f"trueup://webhook/{tenant}/{system}"
