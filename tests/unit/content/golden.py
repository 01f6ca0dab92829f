"""Digests of texts and certificates at fixed addresses, by type. Run as a program it prints them.

Documents changed on purpose? Raise `GENERATOR_VERSION`, add a version's digests, edit none.
"""

import hashlib
import sys

from qmpi.content.address import ALL_TYPES, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.survey import addresses
from qmpi.units import Digest

GOLDEN: dict[str, dict[str, str]] = {
    "content-1": {
        "technical": "b8a74e341a6b68ef",
        "scientific": "dc409e8e5bf55c4b",
        "code": "b0580f665b1771fa",
        "mathematics": "9d6fe244653af705",
        "philosophy": "dac171d4d3384134",
        "creative": "b241e819e95f24a5",
        "conversation": "745dc3e0b4531e25",
        "multilingual": "dddaca4f00a12e3c",
    },
    "content-2": {
        "technical": "2d33bbe29b42fd44",
        "scientific": "00ed1ae2dce259fb",
        "code": "7fb9ea8c26df9763",
        "mathematics": "0ef6b73e97402074",
        "philosophy": "372f6677bf489f1b",
        "creative": "22da8703de01bbea",
        "conversation": "ee19413a63d683d6",
        "multilingual": "1bb57b639b3a5d46",
    },
    "content-3": {
        "technical": "4ed03182408abc81",
        "scientific": "014055b478d6b9ff",
        "code": "36dfda39f92be455",
        "mathematics": "3f16b851b61b4dac",
        "philosophy": "77f9d5e6a36b93ff",
        "creative": "9d2b67d233d5da2b",
        "conversation": "19cd3b22eb5b668d",
        "multilingual": "9138cf2625ef0575",
        "drills": "8087b8d42c0e9bf2",
    },
}


def digest_of(type_name: str) -> str:
    """Return the digest of a type's documents at fixed addresses."""
    key = generator_key(Digest("golden"), 11)
    state = hashlib.blake2b(digest_size=8)
    for stream, place in addresses(type_name, 80, 7):
        state.update(repr(write_document(key, stream, place)).encode())
    return state.hexdigest()


if __name__ == "__main__":
    for name in ALL_TYPES:
        sys.stdout.write(f'        "{name}": "{digest_of(name)}",\n')
