"""Whether every field that some change could write has an owner, and no target is its own field's owner."""

from collections.abc import Iterator, Sequence

from trueup.configuration.model import COMPUTED_HERE, OF_ORIGIN, TenantConfiguration
from trueup.corrections.engine.policy import Policy
from trueup.domain.errors import Permanent


def require_owners(configuration: TenantConfiguration, policies: Sequence[Policy]) -> None:
    """Raise `Permanent` with every field without an owner and every target that would be written its own field."""
    mistakes = list(dict.fromkeys(_mistakes(configuration, policies)))
    if mistakes:
        raise Permanent("\n".join(mistakes))


def _mistakes(configuration: TenantConfiguration, policies: Sequence[Policy]) -> Iterator[str]:
    for policy in policies:
        for target in policy.targets(configuration):
            for field in (target.field,) if target.field is not None else policy.fields:
                for entity in policy.entities:
                    name = f"{entity}.{field}"
                    owner = configuration.ownership.get(name)
                    if owner is None:
                        yield (
                            f"ownership.yml: ownership.{name}: {policy.workflow} writes it and nobody owns it; name"
                            f" its system, {COMPUTED_HERE} where it is computed here, or {OF_ORIGIN} where each"
                            " record's own system owns it"
                        )
                    elif owner == target.system_id:
                        yield (
                            f"ownership.yml: ownership.{name}: {owner} owns it and {policy.workflow} would write it to"
                            f" {target.name}; name another owner, or another target"
                        )
