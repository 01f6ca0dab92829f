"""What to do about damage to a corpus, for the ends of messages.

A generated corpus can be made whole from addresses, an ingested one cannot; a manifest tells them
apart, and is looked for by name alone: whoever asks has met damage already.
"""

from pathlib import Path

MANIFEST_NAME = "manifest.json"
"""Only a generated corpus has one; see `storage.manifest`."""

BUILTIN_FOLDER = "builtin-"
"""How the folders of built-in corpora in the cache begin."""


def remedy(corpus: Path) -> str:
    """Return what to do about damage to a corpus.

    Args:
        corpus: its directory.

    Returns:
        A clause.
    """
    if corpus.name.startswith(BUILTIN_FOLDER):
        return f"remove {corpus}, it is made again"
    if (corpus / MANIFEST_NAME).is_file():
        return f"`qmpi shards repair {corpus}` mends it"
    return "copy it again, or ingest the corpus again"
