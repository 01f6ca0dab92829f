"""Words come out of bash as they went in, and what could leave its place is refused."""

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import ConfigError
from qmpi.launch.batch.quoting import (
    SENTINEL,
    label,
    option_line,
    plain_word,
    setup_line,
    shell_word,
    shell_words,
)

HOSTILE = (
    "a b",
    "'",
    '"',
    "\\",
    ";touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "\ntouch pwned\n",
    "\n#SBATCH --nodes=999\n",
    "\n# flux: --nodes=999\n",
    "\r\n#PBS -l select=999",
    "%j%x\\%",
    "-x",
    "--run-dir=elsewhere",
    "@{job}",
    "${RUN}",
    "!!",
    "*",
    "~",
    "Größe 漢字",
    "\x1b[2J\x07\x7f",
    "\x85\u2028\u2029\u202e",
    os.fsdecode(b"\xff\xfe"),
    "\t",
    "",
)

texts = st.lists(
    st.sampled_from(HOSTILE)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    max_size=4,
).map("".join)
"""Text out of which one could try to break; without NUL, as arguments are."""


@given(st.lists(texts, min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_words_come_out_of_bash_as_they_went_in(words: list[str]) -> None:
    line = "set -- " + shell_words(tuple(words))
    assert "\n" not in line
    script = f'{line}\nprintf "%s\\0" "$@"\n'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, timeout=20, check=True, env={"LC_ALL": "C"}
    )
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


@given(texts)
def test_a_word_is_one_printable_line(word: str) -> None:
    assert shell_word(word).isprintable()


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_argument_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="can be called so"):
        shell_word(text)


@pytest.mark.parametrize("word", ["gpu", "m1234_g", "debug-scaling", "a.b@server", "x/y", "0"])
def test_a_plain_name_stands_as_it_is(word: str) -> None:
    assert plain_word(word, "--queue") == word


@pytest.mark.parametrize("word", [text for text in HOSTILE if text not in ("%",)])
def test_a_name_that_is_not_plain_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="--queue"):
        plain_word(word, "--queue")


@pytest.mark.parametrize("kind", ["slurm", "pbs", "lsf", "flux"])
@pytest.mark.parametrize(
    "option", ["", "gpu", "--a\n#SBATCH -N9", "--a\r", "--a\\", "; rm", "--a\x1b", "--a\u2028"]
)
def test_an_option_stays_on_its_line(option: str, kind: str) -> None:
    with pytest.raises(ConfigError, match="--option"):
        option_line(option, kind)


@pytest.mark.parametrize("option", ['--a="', "--a='", '--setattr=x="""', "-a '''"])
def test_an_open_quote_cannot_swallow_the_next_line_of_flux(option: str) -> None:
    with pytest.raises(ConfigError, match="--option"):
        option_line(option, "flux")


def test_an_option_may_hold_what_only_the_scheduler_reads() -> None:
    for option in ("--constraint=gpu&nvme", '-R "select[mem>1000]"', "-l filesystems=home:eagle"):
        assert option_line(option, "slurm") == option


@pytest.mark.parametrize("line", ["a\nb", "#SBATCH -N9", "  #PBS -l x", "# flux: -N9", "flux: -N1"])
def test_a_line_of_setup_is_one_line_and_no_directive(line: str) -> None:
    with pytest.raises(ConfigError, match="--setup"):
        setup_line(line)


@given(texts, st.sampled_from((15, 60)))
def test_a_label_is_plain_and_begins_with_a_letter(name: str, limit: int) -> None:
    made = label(name, limit)
    assert 1 <= len(made) <= limit
    assert made[0].isalpha()
    assert made.isascii()
    assert all(char.isalnum() or char in "_-" for char in made)
    assert not SENTINEL.match(made)
