"""The two ways a batch fails: trying again can help, or it cannot.

Rows never raise; they come back as receipts or go to the exception queue.
"""


class TrueupError(Exception):
    """What was tried, what came back, what to do. Never carries a secret or a payload."""


class Permanent(TrueupError):
    """Trying again cannot help: a person has to change something first."""


class CredentialsRefused(Permanent):
    """The system does not know our credentials: whatever else is asked with them fails in the same way."""


class Transient(TrueupError):
    """Trying again can help.

    `retry_after_seconds` is what the other side asked for, None where it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
