from __future__ import annotations

from processors.normalize.printed import ordinals


def test_equals_are_numbered_and_others_are_not() -> None:
    assert list(ordinals(["a", "b", "a", "a", "b"])) == [0, 0, 1, 2, 1]
