"""Digests of texts and certificates at fixed addresses, by type. Run as a program it prints them.

Documents changed on purpose? Raise `GENERATOR_VERSION`, add a version's digests, edit none.
"""

import hashlib
import sys

from qmpi.content.address import TYPES, generator_key
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
}


def digest_of(type_name: str) -> str:
    """Return the digest of a type's documents at fixed addresses."""
    key = generator_key(Digest("golden"), 11)
    state = hashlib.blake2b(digest_size=8)
    for stream, place in addresses(type_name, 80, 7):
        state.update(repr(write_document(key, stream, place)).encode())
    return state.hexdigest()


if __name__ == "__main__":
    for name in TYPES:
        sys.stdout.write(f'        "{name}": "{digest_of(name)}",\n')
