"""How tokens are drawn from a model; without torch, so that mistakes are told at once."""

from dataclasses import dataclass
from hashlib import blake2b

from qmpi.errors import InputError


@dataclass(frozen=True)
class Draws:
    """How to draw; equal draws of one prompt from one checkpoint give equal text.

    Attributes:
        tokens: tokens to add, >= 1; fewer if the model ends the document.
        temperature: 0: the likeliest token each time; else >= 0, higher is wilder.
        seed: of the draws.
        top_k: only the likeliest so many, >= 1; 0: all.
        top_p: only the likeliest that together reach this share, 0 < top_p <= 1.
    """

    tokens: int
    temperature: float
    seed: int
    top_k: int = 0
    top_p: float = 1.0

    def check(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            InputError: a field is out of range.
        """
        if self.tokens < 1 or not self.temperature >= 0:
            raise InputError("ask for at least 1 token at a temperature of 0 or more")
        if self.top_k < 0 or not 0 < self.top_p <= 1:
            raise InputError("top-k is 0 or more, top-p above 0 and at most 1")

    def seed_of(self, copy: int) -> int:
        """Return the seed of one of several texts of a prompt, 0 <= value < 2**63.

        Args:
            copy: which, from 0. Neither the prompt nor its place in a batch counts.
        """
        raw = blake2b(f"{self.seed}/{copy}".encode(), digest_size=8).digest()
        return int.from_bytes(raw, "little") >> 1
