"""The codec of a generated corpus: that of what is there, the one that was named, or a trial's."""

from pathlib import Path

import msgspec
import numpy as np

from qmpi.content.address import BLOCK_TOKENS, generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.mix import BlockPlan, ContentMix
from qmpi.corpora.generate_plan import GenerateSpec
from qmpi.errors import QmpiError
from qmpi.ingest.shard_codec import CodecChoice, best_codec, choice_of
from qmpi.storage.corpus_directory import WORK_FOLDER
from qmpi.storage.manifest import read_manifest
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer
from qmpi.storage.work_file import WORK_NAME, read_work

_SAMPLE_BLOCKS = 8


def codec_choice(
    text: str, kept: CodecChoice | None, mix: tuple[ContentMix, ...], tokenizer: Tokenizer
) -> CodecChoice:
    """Choose the codec of a corpus.

    Args:
        text: as a user asks for it; see `ingest.shard_codec`.
        kept: of a corpus that is there, whole or half made; it stands if it is what is asked for.
        mix: what is generated.
        tokenizer: of the corpus.

    Returns:
        The choice, and why.

    Raises:
        ConfigError: no such codec.
    """
    asked = choice_of(text)
    if kept is not None and (asked is None or asked.name == kept.name):
        return kept
    return asked or best_codec(text, _sample(mix, tokenizer), BLOCK_TOKENS)


def kept_choice(out: Path) -> CodecChoice | None:
    """Return the choice of what lies in a directory.

    Args:
        out: directory of a corpus, perhaps half made, perhaps not there.

    Returns:
        The choice; None if there is none that can be read.
    """
    try:
        manifest = read_manifest(out)
        if manifest is not None:
            return CodecChoice(manifest.codec, manifest.codec_reason) if manifest.codec else None
        path = out / WORK_FOLDER / WORK_NAME
        plan = read_work(path).plan if path.exists() else None
        spec = msgspec.convert(plan, GenerateSpec) if plan else None
    except (QmpiError, msgspec.ValidationError):
        return None  # what is wrong there is told by who reads it for its own sake
    return CodecChoice(spec.codec, spec.codec_reason) if spec else None


def _sample(mix: tuple[ContentMix, ...], tokenizer: Tokenizer) -> np.ndarray:
    # Another seed than 0 makes other draws of the same texts: the ratio is that of any.
    maker = BlockMaker(tokenizer, generator_key(lexicon_digest(), 0))
    plan = BlockPlan(mix)
    ids = [maker.make(*plan.address(number)).ids for number in range(_SAMPLE_BLOCKS)]
    return np.concatenate(ids).astype(np.dtype(dtype_name(tokenizer.size)).newbyteorder("<"))
