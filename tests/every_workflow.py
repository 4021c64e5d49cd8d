"""The demo retailer as one that has declared every workflow."""

from trueup.configuration.model import (
    ConfirmedChannel,
    FulfilmentConfirmation,
    ReturnHandling,
    TenantConfiguration,
)


def with_every_workflow(declared: TenantConfiguration) -> TenantConfiguration:
    """The same with what it leaves out: channels that are told of parcels, refunds that are credited."""
    returns = ReturnHandling(credited_in="netsuite", taken_by=("shopify_main",))
    telling = FulfilmentConfirmation(channels={"shopify_main": ConfirmedChannel()})
    complete = declared.model_copy(update={"returns": returns, "fulfilment": telling})
    if complete.undeclared_workflows:
        raise LookupError(f"declare {sorted(complete.undeclared_workflows)} here")
    return complete
