"""Codes as people see them, and what of them counts."""

import pytest

from trueup.domain.codes import clean_code, code_key, visible_code


@pytest.mark.parametrize(
    ("code", "clean", "key"),
    [
        ("HV-1", "HV-1", "hv-1"),
        (" HV-1\t", "HV-1", "hv-1"),
        ("AB\u00a0 1", "AB 1", "ab 1"),
        ("A\u200bB\u00ad1\ufeff", "AB1", "ab1"),
        ("\uff21\uff22\uff0d\uff11", "AB-1", "ab-1"),
        ("CAFE\u0301", "CAFÉ", "café"),
        ("e\u200b\u0301", "é", "é"),
        ("ΣΑΣ", "ΣΑΣ", "σασ"),
        ("\u200b \u3000", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_code_is_what_can_be_seen_of_it(code: str | None, clean: str | None, key: str | None) -> None:
    """Nobody means two things by two spellings that look alike."""
    assert clean_code(code) == clean
    assert code_key(code) == key


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("HV-1 Größe 2", "HV-1 Größe 2"),
        ("AB\u00a01", "AB<U+00A0>1"),
        ("AB1 ", "AB1<U+0020>"),
        ("AB  1", "AB <U+0020>1"),
        ("A\u200bB\t1", "A<U+200B>B<U+0009>1"),
        ("E\u0301", "E<U+0301>"),
        ("\uff21B", "<U+FF21>B"),
        ("\u0410B1", "<U+0410>B1"),
        ("АБВ-1", "АБВ-1"),
        ("\U0001d400", "<U+1D400>"),
        ("\u2800x", "<U+2800>x"),
        (None, ""),
    ],
)
def test_what_cannot_be_seen_is_spelt_out(code: str | None, shown: str) -> None:
    """Two codes that differ must not print as one text."""
    assert visible_code(code) == shown
