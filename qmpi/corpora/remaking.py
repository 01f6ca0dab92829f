"""Makes blocks of a generated corpus anew where its shards cannot be read.

Theory of operation. Which blocks a shard holds follows from the manifest, and a block from its
address, the seed, the tokenizer and the generator. All of that is in memory once a corpus is open,
so nothing is read for it. Files stay as they are: mending them is `qmpi shards repair`'s.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.content.address import BLOCK_TOKENS
from qmpi.errors import CorruptData, StorageError
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import ShardFact
from qmpi.storage.manifest import Manifest, ShardRecord, read_manifest
from qmpi.storage.os_errors import is_out_of_reach
from qmpi.storage.tokenizer import Tokenizer

if TYPE_CHECKING:
    from qmpi.content.block_maker import BlockMaker
    from qmpi.corpora.generate_plan import GeneratePlan
    from qmpi.storage.shard_reader import TokenArray

logger = logging.getLogger(__name__)


class BlocksAnew:
    """Makes blocks of one corpus.

    Attributes:
        chunk_tokens: ids of a block, which is a chunk of its shard.
    """

    chunk_tokens = BLOCK_TOKENS

    def __init__(self, corpus: Corpus, manifest: Manifest, tokenizer: Tokenizer) -> None:
        """Load nothing yet.

        Args:
            corpus: generated.
            manifest: of it.
            tokenizer: of it.
        """
        self._path, self._dtype = corpus.path, corpus.dtype
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._told: set[tuple[int, int]] = set()
        self._means: tuple[GeneratePlan, BlockMaker] | None = None

    def make(self, shard: int, chunk: int, why: StorageError) -> "TokenArray":
        """Make a block anew.

        Args:
            shard: number of the shard in the corpus.
            chunk: number of the block in the shard.
            why: it cannot be read.

        Returns:
            Its ids, in the type of the corpus, [65536].

        Raises:
            CorruptData: another generator is installed here than made the corpus.
        """
        plan, maker = self._opened(why)
        stream, block = plan.addresses(shard)[chunk]
        if (shard, chunk) not in self._told:
            self._told.add((shard, chunk))
            name, cure = self._path / self._manifest.shards[shard].name, _cure(self._path, why)
            # As text: who keeps an exception keeps its frames, and the chunks that they hold.
            logger.warning(
                "chunk %d of shard %s is made anew from its address, block %d of %s: %s%s",
                *(chunk, name, block, stream, str(why), cure),
            )
        return maker.make(stream, block).ids.astype(self._dtype)

    def _opened(self, why: StorageError) -> "tuple[GeneratePlan, BlockMaker]":
        if self._means is None:
            # A rank whose shards are whole does without the generator and its vocabulary.
            from qmpi.content.address import generator_key
            from qmpi.content.block_maker import BlockMaker
            from qmpi.content.lexicons import lexicon_digest, unlike_installed
            from qmpi.corpora.generate_plan import GeneratePlan, spec_of

            manifest = self._manifest
            apart = unlike_installed(manifest.generator, manifest.lexicon_digest)
            if apart:
                raise CorruptData(f"{why}; it was made by another generator than is here ({apart})")
            plan = GeneratePlan(spec_of(manifest), self._path, self._path)
            key = generator_key(lexicon_digest(), manifest.seed)
            self._means = plan, BlockMaker(self._tokenizer, key)
        return self._means


def blocks_anew(corpus: Corpus, tokenizer: Tokenizer) -> BlocksAnew | None:
    """Return what makes blocks of a corpus anew.

    Args:
        corpus: open; its manifest is read.
        tokenizer: of the corpus.

    Returns:
        None if it was ingested, or nothing says how it was made.
    """
    try:
        manifest = read_manifest(corpus.path)
    except StorageError as error:
        logger.warning("blocks of %s could not be made anew: %s", corpus.path, error)
        return None
    if manifest is None or _names(manifest.shards) != _names(corpus.facts.shards):
        return None
    return BlocksAnew(corpus, manifest, tokenizer)


def _names(shards: Sequence[ShardRecord | ShardFact]) -> list[tuple[str, str, int]]:
    return [(shard.name, shard.sha256, shard.tokens) for shard in shards]


def _cure(corpus: Path, why: StorageError) -> str:
    is_told = is_out_of_reach(why) or "qmpi shards repair" in str(why)
    return "" if is_told else f"; `qmpi shards repair {corpus}` mends the file"
