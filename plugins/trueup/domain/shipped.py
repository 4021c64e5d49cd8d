"""Finds the folders that stand beside the package in a checkout and inside it in an installation."""

from pathlib import Path

from trueup.domain.errors import Permanent

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str, marker: str) -> Path:
    """The folder `name`, known by the file (or pattern) `marker` in it: of the wheel, or of the checkout.

    Raises `Permanent` naming both places where neither has it.
    """
    candidates = (_PACKAGE / name, _PACKAGE.parents[1] / name)
    for folder in candidates:
        if next(folder.glob(marker), None) is not None:
            return folder
    raise Permanent(f"no {name} at {' or '.join(map(str, candidates))}; install Trueup again: its wheel brings it")
