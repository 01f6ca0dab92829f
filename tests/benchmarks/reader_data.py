"""Ids of real text for `bench_reader`, and the files of a corpus made of them."""

import hashlib
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import numpy as np
from codec_samples import encoded, real_texts
from real_text import SOURCES, real_documents

from qmpi.storage.codec_names import codec_named
from qmpi.storage.corpus_index import (
    INDEX_NAME,
    INDEX_VERSION,
    TOKENIZER_NAME,
    CorpusFacts,
    ShardFact,
    write_corpus_facts,
)
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer
from qmpi.units import Digest

IDS_NAME = "ids.npy"
SHARD_TOKENS = 1 << 23
TRAINED_ON = 16_000_000
"""Characters that the vocabulary is trained on, at most."""
CHARACTERS_A_TOKEN = 5
"""Of any text here there are fewer."""
_ENCODED_AT_ONCE = 2000


def machine_folders():
    """Return where a machine keeps text that people wrote."""
    usual = ("/usr/share/doc", "/usr/share/man", sysconfig.get_path("stdlib"))
    return [folder for folder in usual if Path(folder).is_dir()]


def texts_of(real, folders, size):
    """Gather real text of all kinds, so many characters of it if there are."""
    texts = [text for name in SOURCES for text in real_documents(name, real)]
    left = size - sum(map(len, texts))
    if left > 0:
        texts += real_texts(folders or machine_folders(), left)
    np.random.default_rng(0).shuffle(texts)
    return texts


def ids_in(folder, options):
    """Return the ids that lie in a folder, uint16; made and kept there if there are none."""
    if not (folder / IDS_NAME).exists():
        folder.mkdir(parents=True, exist_ok=True)
        texts = texts_of(options.real, options.text, CHARACTERS_A_TOKEN * options.tokens)
        sample, left = [], TRAINED_ON
        for text in texts:
            sample.append(text)
            left -= len(text)
            if left < 0:
                break
        sys.stderr.write(f"{len(texts):,} pieces of text; training a vocabulary\n")
        tokenizer = train_tokenizer(sample, options.vocabulary)
        tokenizer.save(folder / TOKENIZER_NAME)
        parts = range(0, len(texts), _ENCODED_AT_ONCE)
        ids = [encoded(tokenizer, texts[at : at + _ENCODED_AT_ONCE]) for at in parts]
        np.save(folder / IDS_NAME, np.concatenate(ids))
    return np.load(folder / IDS_NAME)[: options.tokens]


def write_corpus(folder, ids, tokenizer_path, codec="blosc2-zstd:5"):
    """Write ids as a corpus; with a tokenizer, one that jobs can read."""
    folder.mkdir()
    digest, size = Digest("none"), int(ids.max()) + 1
    if tokenizer_path.exists():
        tokenizer = Tokenizer.load(tokenizer_path)
        digest, size = tokenizer.digest, tokenizer.size
        shutil.copy(tokenizer_path, folder / TOKENIZER_NAME)
    shards = []
    for number, at in enumerate(range(0, ids.size, SHARD_TOKENS)):
        path = folder / f"shard-{number:06}.h5"
        writer = ShardWriter(path, dtype_name(size), digest, codec=codec_named(codec))
        writer.start_document()
        writer.append(ids[at : at + SHARD_TOKENS])
        writer.close()
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        shards.append(ShardFact(name=path.name, tokens=writer.tokens, sha256=Digest(sha256)))
    facts = CorpusFacts(
        version=INDEX_VERSION, name="reader", tokenizer_digest=digest, vocab_size=size,
        dtype=dtype_name(size), tokens=ids.size, documents=len(shards), shards=tuple(shards),
        left_out={}, digest=Digest(hashlib.sha256(ids.tobytes()).hexdigest()),
    )  # fmt: skip
    write_corpus_facts(folder, facts)
    return [folder / INDEX_NAME, *(folder / shard.name for shard in shards)]


def drop(files):
    """Write files through to the disk, and drop them from the page cache."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
