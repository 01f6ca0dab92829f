"""Text out of tokens as they come.

Theory of operation. A character may be spelled by several tokens, and some tokenizers drop the
blank before the first word. So the newest tokens are decoded together with some that were told
already, and what is new of that text is told once it does not end in the middle of a character.
"""

from collections.abc import Callable, Sequence

_CUT = "\ufffd"
"""What a decoder makes of half a character."""

_BEFORE = 8
"""Tokens of the prompt that the first new one is decoded with."""


class TextStream:
    """The text of one row."""

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt: Sequence[int]) -> None:
        """Begin.

        Args:
            decode: makes text of ids.
            prompt: ids before the first that will be added.
        """
        self._decode = decode
        self._ids = list(prompt[-_BEFORE:])
        self._told = len(self._ids)

    def add(self, token: int) -> str:
        """Add a token.

        Args:
            token: its id.

        Returns:
            What can be told by now; often nothing or a word.
        """
        self._ids.append(token)
        new = self._new()
        if not new or new.endswith(_CUT):
            return ""
        # What was told last stays as the tokens before the next.
        self._ids = self._ids[self._told :]
        self._told = len(self._ids)
        return new

    def rest(self) -> str:
        """Return what is left at the end, half a character too."""
        return self._new()

    def _new(self) -> str:
        before = self._decode(self._ids[: self._told]) if self._told else ""
        return self._decode(self._ids)[len(before) :]
