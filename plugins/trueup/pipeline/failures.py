"""What may fail in any step, as our two failures: the warehouse and this machine's disk."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from trueup.domain.errors import Transient
from trueup.warehouse.failures import translated

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@contextmanager
def in_plain_words(work: str) -> Iterator[None]:
    """Raise `Transient` or `Permanent` for what PostgreSQL says and for a disk that takes no more.

    Steps tell what they can tell better themselves; this is for whatever passes them.
    """
    try:
        with translated(work):
            yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = error.filename or "a file of this machine"
        raise Transient(
            f"{work}: {where} cannot be written: {error.strerror}; make room on its disk, and run it again"
        ) from error
