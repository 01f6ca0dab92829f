"""Malformed jobs: refused with the field, what was given, what is legal; never a traceback."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.load import load_job, parse_job
from qmpi.errors import ConfigError

MALFORMED = {
    "unknown field": ("[train]\nstepz = 5\n", ["train.stepz", "did you mean train.steps?"]),
    "unknown field far from any": ("[train]\nq = 5\n", ["train.q", "known are", "steps"]),
    "unknown section": ("[modle]\n", ["[modle]", "did you mean model?"]),
    "field without section": ("steps = 5\n", ["did you mean train.steps?"]),
    "section that is a number": ("train = 5\n", ["train = 5", "[train]"]),
    "section that is a list": ("[[train]]\nsteps = 5\n", ["train =", "[train]"]),
    "syntax": ("[train]\nsteps = = 5\n", ["not TOML", "line 2"]),
    "key given twice": ("[train]\nsteps = 5\nsteps = 6\n", ["not TOML", "line 3"]),
    "section given twice": ("[train]\n[train]\n", ["not TOML", "line 2"]),
    "text for a number": ('[train]\nlanes = "x"\n', ["train.lanes", "'x'", "from 1 to 4096"]),
    "float for an integer": ("[train]\nsteps = 1e3\n", ["train.steps", "1000.0", "whole number"]),
    "truth value for an integer": ("[train]\nsteps = true\n", ["train.steps = true", "whole"]),
    "integer for a truth value": ("[model]\ntied_head = 1\n", ["model.tied_head", "true or false"]),
    "number for text": ("[job]\nname = 3\n", ["job.name = 3", "text"]),
    "date": ("[train]\nsteps = 1979-05-27\n", ["train.steps = 1979-05-27", "whole number"]),
    "below range": ("[train]\nsteps = 0\n", ["train.steps = 0", "from 1"]),
    "above range": ("[train]\nlanes = 5000\n", ["train.lanes = 5000", "to 4096"]),
    "nan": ("[optimizer]\nlearning_rate = nan\n", ["optimizer.learning_rate", "above 0"]),
    "infinity": ("[model]\nrope_theta = inf\n", ["model.rope_theta", "above 1"]),
    "beyond 64 bits": ("[snapshot]\nkeep = 1" + "0" * 30, ["snapshot.keep", "64 bits"]),
    "beyond a float": ("[optimizer]\nlearning_rate = 1" + "0" * 400, ["learning_rate", "bits"]),
    "a rate that no float of a step holds": (
        "[optimizer]\nlearning_rate = 1e300\n",
        ["optimizer.learning_rate = 1e+300", "to 1000000"],
    ),
    "an evaluation without end": (
        "[evaluation]\ntokens = 9223372036854775807\nproblems = 1000000000000\n",
        ["evaluation.tokens", "to 1000000000", "evaluation.problems", "to 1000000"],
    ),
    "a number in quotes": (
        '[train]\nreduction_bits = "16"\n',
        ["must be one of 16, 32", "without quotes: 16"],
    ),
    "a recipe of words": (
        '[[data.recipes]]\nat = 5\nweights = {python = "x"}\n',
        ["data.recipes[0].weights", "a table whose values are each a number from 0"],
    ),
    "a recipe of nothing": (
        "[[data.recipes]]\nat = 5\nwieghts = {}\n",
        ["data.recipes[0].weights: is missing", "did you mean data.recipes[0].weights?"],
    ),
    "thousands of digits": ("a = " + "9" * 5000, ["thousands of digits"]),
    "thousands of hexadecimal digits": ("[snapshot]\nkeep = 0x" + "f" * 6000, ["24000 bits"]),
    "the same within a list": ("[data]\nsources = [[0x" + "f" * 6000 + "]]", ["data.sources[0]"]),
    "nested too deep": ("a = " + "[" * 3000 + "]" * 3000, ["too deep"]),
    "an unknown family": (
        '[[data.sources]]\nkind = "content"\nname = "d"\ntype = "drills"\nfamilies = ["sorts"]\n',
        ["data.sources[0].families", "'sorts' is none, did you mean sort?"],
    ),
    "a family far from any": (
        '[[data.sources]]\nkind = "content"\nname = "d"\ntype = "drills"\nfamilies = ["q"]\n',
        ["data.sources[0].families", "'q' is none, known are addition, brackets, copy"],
    ),
    "families of another type": (
        '[[data.sources]]\nkind = "content"\nname = "d"\ntype = "code"\nfamilies = ["sort"]\n',
        ["source 'd': families go with type = \"drills\" alone, not with code"],
    ),
    "a family twice": (
        '[[data.sources]]\nkind = "content"\nname = "d"\ntype = "drills"\n'
        'families = ["sort", "copy", "sort"]\n',
        ["source 'd': families name 'sort' twice"],
    ),
    "unknown choice": (
        '[train]\nreduction = "exakt"\n',
        ["train.reduction", "did you mean 'exact'"],
    ),
    "role as a word": ('[roles]\ntrainer = "most"\n', ["roles.trainer", "60%"]),
    "role above all ranks": ('[roles]\ntrainer = "101%"\n', ["101%", "more than all ranks"]),
    "negative role": ("[roles]\nspare = -1\n", ["roles.spare = -1", "from 0"]),
    "no trainer": ("[roles]\ntrainer = 0\n", ["roles.trainer = 0", "from 1"]),
    "two coordinators": ("[roles]\ncoordinator = 2\n", ["roles.coordinator = 2", "must be 1"]),
    "ranks that share a model": ("[parallel]\ntensor = 4\n", ["parallel.tensor = 4", "kv_heads"]),
    "stages of a model": ("[parallel]\npipeline = 9\n", ["parallel.pipeline = 9", "layers"]),
    "parts of a sequence": ("[parallel]\ncontext = 3\n", ["parallel.context = 3", "two pieces"]),
    "parts of the experts": (
        "[parallel]\nexpert = 8\n",
        ["parallel.expert = 8", "experts = 0"],
    ),
    "a team of nobody": ("[parallel]\ntensor = 0\n", ["parallel.tensor = 0", "from 1 to 1024"]),
    "more ranks than any machine": (
        "[roles]\ntrainer = 99999999999\n",
        ["roles.trainer", "1000000"],
    ),
    "heads do not divide": ("[model]\nheads = 3\n", ["model.width = 128", "model.heads = 3"]),
    "kv heads do not divide": ("[model]\nkv_heads = 3\n", ["model.heads = 4", "kv_heads = 3"]),
    "over what no norm goes": (
        '[model]\nqk_norm = false\nqk_norm_over = "projection"\n',
        ["model.qk_norm_over", "model.qk_norm = false"],
    ),
    "odd head dim": ("[model]\nhead_dim = 7\n", ["model.head_dim = 7", "odd"]),
    "initial weights alone": ("[initial]\nweights = 'x'\n", ["initial.digest", "qmpi import"]),
    "no digest": ("[initial]\nweights = 'x'\ndigest = 'abc'\n", ["initial.digest"]),
    "one expert": ("[model]\nexperts = 1\n", ["model.experts = 1", "2 or more"]),
    "more experts of a token than there are": (
        "[model]\nexperts = 4\nexperts_per_token = 5\n",
        ["model.experts_per_token = 5", "model.experts = 4"],
    ),
    "no layer with experts": (
        "[model]\nlayers = 2\nexperts = 4\ndense_layers = 2\n",
        ["model.dense_layers = 2", "model.layers = 2"],
    ),
    "capacity below the mean": (
        "[model]\nexperts = 4\ncapacity_factor = 0.5\n",
        ["model.capacity_factor = 0.5", "1 or more"],
    ),
    "nothing left to predict": (
        "[model]\npredict_ahead = 8\n[train]\nsequence_tokens = 8\n",
        ["model.predict_ahead = 8", "train.sequence_tokens = 8"],
    ),
    "a weight of nothing": (
        "[train]\nahead_weight = 0.1\n",
        ["train.ahead_weight = 0.1", "model.predict_ahead"],
    ),
    "router by another name": ('[model]\nrouter = "top"\n', ["model.router", "softmax"]),
    "a bound of logits that leaves nothing": (
        "[model]\nlogit_softcap = 1e-320\n",
        ["model.logit_softcap", "1 or more"],
    ),
    "odd head": ("[model]\nwidth = 12\n", ["is odd", "even"]),
    "warm-up longer than the run": (
        "[train]\nsteps = 10\n[optimizer]\nwarmup_steps = 20\n",
        ["optimizer.warmup_steps = 20", "train.steps = 10"],
    ),
    "checkpoint off the snapshots": (
        "[snapshot]\nevery_steps = 3\n",
        ["disk_every_steps = 50", "every_steps = 3", ": 51"],
    ),
    "dead too soon": (
        "[failure]\ndead_seconds = 2.0\n",
        ["failure.dead_seconds = 2", "heartbeat_seconds = 1"],
    ),
    "stream without end": (
        "[train]\nsteps = 1000000000000\nsequence_tokens = 1048576\nlanes = 4096\n",
        ["train.steps", "fewer steps"],
    ),
    "name with a path": ('[job]\nname = "../x"\n', ["job.name", "job.run_dir"]),
    "NUL": ('[job]\nrun_dir = "a\\u0000b"\n', ["job.run_dir", "NUL"]),
    "no sources": ("[data]\nsources = []\n", ["data.sources", "[[data.sources]]"]),
    "sources as text": ('[data]\nsources = "x"\n', ["data.sources", "[[data.sources]]"]),
    "source as a list": ("[data]\nsources = [[1]]\n", ["data.sources[0]", "table"]),
    "source without kind": ('[[data.sources]]\nname = "a"\n', ["data.sources[0].kind", "corpus"]),
    "source of unknown kind": (
        '[[data.sources]]\nkind = "web"\nname = "a"\n',
        ["data.sources[0].kind", "'web'", "corpus, content"],
    ),
    "corpus without path": (
        '[[data.sources]]\nkind = "corpus"\nname = "a"\n',
        ["data.sources[0].path", "missing"],
    ),
    "source with a bad name": (
        '[[data.sources]]\nkind = "content"\ntype = "mathematics"\nname = "A b"\n',
        ["data.sources[0].name", "small letters"],
    ),
    "source without weight": (
        '[[data.sources]]\nkind = "content"\ntype = "mathematics"\nname = "a"\nweight = -1\n',
        ["data.sources[0].weight", "from 0"],
    ),
    "levels upside down": (
        '[[data.sources]]\nkind = "content"\ntype = "mathematics"\nname = "a"\n'
        "min_level = 9\nmax_level = 3\n",
        ["min_level = 9", "max_level = 3"],
    ),
    "recipes that cannot be": (
        "[[data.recipes]]\nat = 5\nweights = {nobody = 1, python = inf}\n"
        "[[data.recipes]]\nat = 5\nweights = {python = 0, mathematics = 0}\n",
        ["there is no source 'nobody'", "python = inf", "does not come after 5", "at 0"],
    ),
    "every weight at 0": (
        '[[data.sources]]\nkind = "content"\ntype = "mathematics"\nname = "a"\nweight = 0\n',
        ["data.sources", "every weight is 0"],
    ),
    "two sources of one name": (
        '[[data.sources]]\nkind = "content"\ntype = "mathematics"\nname = "a"\n' * 2,
        ["data.sources", "'a'"],
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_refused_with_field_and_remedy(kind: str) -> None:
    text, words = MALFORMED[kind]
    with pytest.raises(ConfigError) as caught:
        parse_job(text, name="my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml")
    assert [word for word in words if word not in message] == []
    assert len(message) < 1000


def test_all_mistakes_are_told_at_once() -> None:
    text = '[train]\nstepz = 5\nlanes = "x"\n[modle]\na = 1\n[model]\nheads = 0\n'
    with pytest.raises(ConfigError, match="4 mistakes") as caught:
        parse_job(text)
    for word in ("train.stepz", "train.lanes", "[modle]", "model.heads"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "override", ["", "=", "train.steps", "train=5", "steps=5", "a.b.c=1", ".steps=1", "train.=1"]
)
def test_an_override_of_another_form_is_explained(override: str) -> None:
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        parse_job("", [override])


def test_an_override_into_something_that_is_no_section_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"\[train\]"):
        parse_job("train = 5\n", ["train.steps=1"])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_bytes(b"[train]\nsteps = 1 # \xff\n")
    with pytest.raises(ConfigError, match=r"job\.toml is not UTF-8 text \(byte 20\)"):
        load_job(job)
    with pytest.raises(ConfigError, match=r"qmpi init"):
        load_job(tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="is it a job file"):
        load_job(tmp_path)
    with pytest.raises(ConfigError, match="above 4 MiB"):
        load_job(Path("/dev/zero"))


def test_arguments_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"job\.run_dir"):
        parse_job("", run_dir="a\udcff")
    with pytest.raises(ConfigError, match=r"job\.name"):
        parse_job("", ["job.name=a\udcff"])


def _message(text: str, overrides: list[str], if_legal: str) -> str:
    try:
        parse_job(text, overrides)
    except ConfigError as error:
        return str(error)
    return if_legal


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(
    section=st.sampled_from(["job", "roles", "model", "train", "optimizer", "data", "snapshot"]),
    key=st.sampled_from(["name", "trainer", "width", "steps", "beta1", "sources", "keep", "lanes"]),
    value=VALUES.map(repr) | st.text(max_size=12),
)
def test_any_override_loads_or_is_a_config_error(section: str, key: str, value: str) -> None:
    assert section in _message("", [f"{section}.{key}={value}"], section)


@given(st.text(max_size=60))
def test_any_text_loads_or_is_a_config_error(text: str) -> None:
    assert _message(text, [], "job").startswith("job")
