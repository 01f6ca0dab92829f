"""Guess the language of a text, offline.

Theory of operation: py3langid (n-grams of bytes, naive Bayes, 5 MB, its model in the wheel) names
one of about a hundred languages; it is asked about the beginning of a text only, since a few
hundred words settle it. It is loaded when first asked, as most ingestions never do.
"""

from importlib import import_module
from typing import Any

from qmpi.errors import InputError

_LOOKED_AT = 1500
_FEWEST_WORDS = 8
"""Of fewer words a guess is mostly wrong."""


class LanguageGuess:
    """Guesses languages.

    Attributes:
        wanted: codes of the languages to keep.
    """

    def __init__(self, wanted: tuple[str, ...]) -> None:
        """Load the model.

        Args:
            wanted: ISO 639-1 codes of the languages to keep; at least one.

        Raises:
            InputError: py3langid is missing, or knows none of a language.
        """
        try:
            langid: Any = import_module("py3langid.langid")
        except ImportError as error:
            raise InputError(
                "choosing languages needs py3langid; install it with: pip install 'qmpi[ingest]'"
            ) from error
        self.wanted = frozenset(wanted)
        self._identifier: Any = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
        unknown = sorted(self.wanted.difference(self._identifier.labels))
        if unknown:
            known = ", ".join(sorted(self._identifier.labels))
            raise InputError(f"language {unknown[0]!r} is not known; there are {known}")

    def unwanted(self, text: str, words: int) -> str:
        """Look whether a text is in another language.

        Args:
            text: the text.
            words: how many words it has.

        Returns:
            Code of its language if that is not wanted; "" if it is, or if it cannot be told.
        """
        if words < _FEWEST_WORDS:
            return ""
        code: str = self._identifier.classify(text[:_LOOKED_AT])[0]
        return "" if code in self.wanted else code
