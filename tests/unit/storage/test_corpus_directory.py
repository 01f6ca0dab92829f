"""A slip in --out costs no file of the user's, whatever it is called."""

from pathlib import Path

import pytest

from qmpi.errors import InputError
from qmpi.storage.corpus_directory import check_corpus_directory, clear_corpus_directory

CORPUS = ("index.json", "manifest.json", "tokenizer.json", "statistics.html", "shard-000000.h5")


def _fill(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("precious")
    return directory


@pytest.mark.parametrize(
    "name",
    [
        "work/thesis.txt",
        "work",
        "index.json",
        "manifest.json",
        "tokenizer.json",
        "statistics.html",
        "statistics.html/mine.txt",
        "shard-000000.h5/mine.txt",
        "notes.txt",
    ],
)
def test_what_is_not_known_for_a_corpus_stays(tmp_path: Path, name: str) -> None:
    out = _fill(tmp_path / "out", name)
    with pytest.raises(InputError, match="is not a corpus: it holds"):
        clear_corpus_directory(out)
    assert (out / name).read_text() == "precious"


def test_a_strange_file_in_the_work_folder_of_a_corpus_is_named(tmp_path: Path) -> None:
    out = _fill(tmp_path / "out", *CORPUS, "work/work.json", "work/mine.txt")
    with pytest.raises(InputError, match=r"'work/mine\.txt'"):
        clear_corpus_directory(out)
    assert all((out / name).exists() for name in CORPUS)


@pytest.mark.parametrize(
    "names",
    [
        CORPUS,
        (*CORPUS, "origins-000000.jsonl.zst", "left-out.jsonl.zst"),
        ("tokenizer.json", "work/work.json", "work/units/000000.json", "work/logs/rank-00000.log"),
        ("plan.json", "work/given-tokenizer.json", "work/clean/000000.text", "work/scan/0.result"),
        ("shard-000000.h5", ".shard-000001.h5.host-1.tmp"),
    ],
)
def test_a_corpus_goes_whole_or_half_made(tmp_path: Path, names: tuple[str, ...]) -> None:
    clear_corpus_directory(_fill(tmp_path / "out", *names))
    assert not (tmp_path / "out").exists()


def test_a_link_stays_and_what_it_leads_to_is_emptied(tmp_path: Path) -> None:
    real = _fill(tmp_path / "real", *CORPUS, "work/work.json")
    (tmp_path / "link").symlink_to(real)
    clear_corpus_directory(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert list(real.iterdir()) == []


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="link to nothing"):
        check_corpus_directory(tmp_path / "link")


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    out = _fill(tmp_path / "out", *CORPUS)
    mine = _fill(tmp_path / "mine", "work.json")
    (out / "work").symlink_to(mine)
    clear_corpus_directory(out)
    assert (mine / "work.json").exists()
    assert not out.exists()
