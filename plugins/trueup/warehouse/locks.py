"""The advisory locks of a warehouse: every number once, with what it keeps apart.

PostgreSQL knows a lock by its number alone, so two uses of one number wait for each other. Where several locks are
taken they are taken in the order in which they stand here.
"""

from enum import IntEnum


class Lock(IntEnum):
    """What is done by one at a time."""

    MIGRATION = 7303014
    """Migrating the warehouse."""

    CONFIGURATION = 7303018
    """Applying a tenant's configuration."""

    BUILD = 7303015
    """Building. Proposing shares it: half a build has numbers that no gate has seen."""

    GATE = 7303021
    """Validating what was built."""

    PROPOSAL = 7303017
    """Moving held corrections: proposing and a person's decision. A decision does not wait for a build."""

    CORRECTION = 7303016
    """Correcting one channel; the second number is the hash of the channel's name."""

    STREAM = 7303019
    """Writing one stream of raw records; the second number is the hash of the table's name."""
