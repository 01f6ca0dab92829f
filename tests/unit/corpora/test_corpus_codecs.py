"""A corpus' codec stands in manifest and index, repair keeps it, what was before still holds."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from unit.corpora.small_corpus import BLOCKS, MIX, QuickMaker, make_all, quick_plan, use_quick_maker

from qmpi.corpora import generate_codec
from qmpi.corpora.generate_codec import CodecChoice, codec_choice, kept_choice
from qmpi.corpora.generate_plan import GeneratePlan, spec_of
from qmpi.corpora.repair import repair_shard
from qmpi.corpora.statistics import corpus_statistics
from qmpi.corpora.survey import find_shards, summarize
from qmpi.corpora.verify import verify_directory
from qmpi.storage.corpus_index import CorpusFacts, read_corpus_facts, write_corpus_facts
from qmpi.storage.manifest import read_manifest, sealed, write_manifest
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest

WHY = "it was tried"


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        patch.setattr(generate_codec, "BlockMaker", QuickMaker)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "quick"
    plan = quick_plan(out)
    spec = msgspec.structs.replace(plan._spec, codec="zlib:1", codec_reason=WHY)
    make_all(GeneratePlan(spec, out, out / "work"))
    return out


def test_manifest_index_and_shards_name_it(corpus):
    manifest, facts = read_manifest(corpus), read_corpus_facts(corpus)
    assert (manifest.codec, manifest.codec_reason) == ("zlib:1", WHY)
    assert (facts.codec, facts.codec_reason) == ("zlib:1", WHY)
    assert spec_of(manifest).codec == "zlib:1"
    assert [summarize(shard).codec for shard in find_shards([corpus])] == ["zlib:1"] * 3
    found = corpus_statistics(corpus)
    assert (found.codecs, found.codec_reason) == (("zlib:1",), WHY)
    assert verify_directory(corpus) == []


def test_a_block_is_made_again_in_the_same_codec(corpus):
    shard = find_shards([corpus])[1]
    right = shard.path.read_bytes()
    data = bytearray(right)
    data[len(right) // 2] ^= 1
    shard.path.write_bytes(data)
    done = repair_shard(shard, None)
    assert (done.state, len(done.blocks)) == ("repaired", 1), done.how
    assert shard.path.read_bytes() == right


def test_a_manifest_and_an_index_of_before_hold(corpus, tmp_path):
    manifest = msgspec.structs.replace(
        read_manifest(corpus), codec="", codec_reason="", digest=Digest("")
    )
    plain = msgspec.to_builtins(manifest)
    old = {key: value for key, value in plain.items() if not key.startswith("codec")}
    seal = hashlib.sha256(msgspec.json.encode(old)).hexdigest()
    assert list(old)[-2:] == ["merkle_root", "digest"]
    assert sealed(manifest).digest == seal
    write_manifest(tmp_path, sealed(manifest))
    assert spec_of(read_manifest(tmp_path)).codec == "blosc2-zstd:5"
    facts = msgspec.structs.replace(read_corpus_facts(corpus), codec="", codec_reason="")
    assert b"codec" not in msgspec.json.encode(facts)
    assert list(msgspec.to_builtins(facts)) == list(CorpusFacts.__struct_fields__)[:-2]
    write_corpus_facts(tmp_path, facts)
    assert read_corpus_facts(tmp_path) == facts


def test_what_is_there_keeps_its_codec(corpus, tmp_path):
    kept = kept_choice(corpus)
    assert kept == CodecChoice("zlib:1", WHY)
    tokenizer = Tokenizer.load(corpus / "tokenizer.json")
    assert codec_choice("auto", kept, MIX, tokenizer) == kept
    assert codec_choice("zlib:1", kept, MIX, tokenizer) == kept
    assert codec_choice("bz2", kept, MIX, tokenizer) == CodecChoice("bz2:9", "asked for")
    assert kept_choice(tmp_path) is None
    assert BLOCKS > 1


def test_generated_blocks_are_tried_if_that_is_asked_for(corpus, monkeypatch):
    seen = []

    def best(text, sample, items):
        seen.append((text, sample.dtype.name, sample.size // items))
        return CodecChoice("none", WHY)

    monkeypatch.setattr(generate_codec, "best_codec", best)
    tokenizer = Tokenizer.load(corpus / "tokenizer.json")
    assert codec_choice("auto:7", None, MIX, tokenizer).name == "none"
    assert seen == [("auto:7", "uint16", 8)]
