"""Product codes as systems spell them, and what of a spelling counts.

The warehouse decides by the same rules, `governance.clean_code` and `governance.code_key`; a test holds one against the
other.
"""

import re
import unicodedata
from typing import Final

# Space in any of its forms, line ends, and the blank Braille cell, which is no space to Unicode and looks like one.
_SPACES: Final = re.compile("[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000]+")
# What takes no room on a page: controls, soft hyphens, joiners, marks of direction, fillers, selectors, tags.
_INVISIBLE: Final = re.compile(
    "[\x01-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def _small_letters() -> dict[int, str]:
    """Capital to small, one to one, for the alphabets that have both and that product codes are written in."""
    folds = {}
    for number in (*range(0x41, 0x590), *range(0x1E00, 0x2000)):
        letter = chr(number)
        if not unicodedata.category(letter).startswith("L") or unicodedata.normalize("NFKC", letter) != letter:
            continue
        small = letter.casefold() if len(letter.casefold()) == 1 else letter.lower()
        if len(small) == 1 and small != letter:
            folds[number] = small
    return folds


_SMALL_LETTERS: Final = _small_letters()


def clean_code(code: str | None) -> str | None:
    """The code in NFKC, without what is invisible, with single spaces inside and none around; None if empty."""
    if code is None:
        return None
    visible = unicodedata.normalize("NFKC", _INVISIBLE.sub("", code))
    return _SPACES.sub(" ", visible).strip(" ") or None


def code_key(code: str | None) -> str | None:
    """What two spellings of one code have in common: the clean code in small letters."""
    cleaned = clean_code(code)
    return None if cleaned is None else unicodedata.normalize("NFKC", cleaned.translate(_SMALL_LETTERS))


def visible_code(code: str | None) -> str:
    """The code for a person: what cannot be seen, or looks like something else, is written `<U+00A0>`.

    Spelt out are spaces but the plain single one inside, controls, combining marks, forms that NFKC replaces (such as
    full-width letters), and letters of another alphabet among Latin ones.
    """
    text = code or ""
    has_latin = any(_alphabet(character) == "LATIN" for character in text)
    shown = []
    for index, character in enumerate(text):
        is_plain = (
            character.isprintable()
            and not _INVISIBLE.match(character)
            and not unicodedata.category(character).startswith("M")
            and unicodedata.normalize("NFKC", character) == character
            and not (has_latin and _alphabet(character) not in {"", "LATIN"})
        )
        if character == " ":
            is_plain = 0 < index < len(text) - 1 and text[index - 1] != " "
        elif _SPACES.match(character):
            is_plain = False
        shown.append(character if is_plain else f"<U+{ord(character):04X}>")
    return "".join(shown)


def _alphabet(letter: str) -> str:
    """`LATIN`, `CYRILLIC`, ...; empty for what is no letter."""
    if not unicodedata.category(letter).startswith("L"):
        return ""
    return unicodedata.name(letter, "?").split()[0]
