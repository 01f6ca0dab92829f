"""The identity of a run: what joined it later leaves runs that do without as they were."""

from qmpi.config.batch import BatchSettings
from qmpi.config.data import ContentSource, DataSettings
from qmpi.config.evaluation import EvaluationSettings
from qmpi.config.guard import GuardSettings
from qmpi.config.identity import differences, identity, with_hyperparameters
from qmpi.config.load import parse_job, settings_digest
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings

HELD_OUT = Settings(evaluation=EvaluationSettings(held_out=0.01))


def test_nothing_held_out_is_not_part_of_it() -> None:
    assert set(identity(Settings())) == {
        "seed", "model", "train", "optimizer", "tokenizer", "sources",
    }  # fmt: skip


def test_a_share_held_out_is_part_of_it_and_named_where_it_differs() -> None:
    assert settings_digest(HELD_OUT) != settings_digest(Settings())
    told = differences(Settings(), HELD_OUT)
    assert told == ("evaluation.held_out is 0.0, not 0.01",)
    assert differences(HELD_OUT, HELD_OUT) == ()


def test_families_join_it_where_they_are_named() -> None:
    def drills(*families: str) -> Settings:
        source = ContentSource(name="d", type="drills", families=families)
        return Settings(data=DataSettings(sources=(source,)))

    assert "families" not in identity(drills())["sources"][0]
    told = differences(drills(), drills("sort"))
    assert told == ('families of data source 1 is not there, not ["sort"]',)
    assert settings_digest(drills("sort")) != settings_digest(drills("copy"))


def test_packing_joins_it_where_it_is_asked_for() -> None:
    packed = Settings(data=DataSettings(packing="best_fit"))
    assert settings_digest(packed) != settings_digest(Settings())
    assert differences(Settings(), packed) == ('data.packing is "concatenate", not "best_fit"',)
    assert differences(packed, packed) == ()


def test_a_guard_is_part_of_it_where_it_judges_and_may_be_changed() -> None:
    guarded = Settings(guard=GuardSettings(loss_spike=4.0))
    idle = Settings(guard=GuardSettings(window_steps=9), batch=BatchSettings(noise_scale=True))
    assert identity(idle) == identity(Settings())
    assert "guard.loss_spike is 0.0, not 4.0" in differences(Settings(), guarded)
    train, optimizer = guarded.train, guarded.optimizer
    assert differences(Settings(), with_hyperparameters(guarded, train.steps, optimizer)) == ()
    kept = with_hyperparameters(Settings(), train.steps, optimizer, guarded.guard)
    assert differences(guarded, kept) == ()


def test_a_guard_of_an_older_version_stays_what_it_was() -> None:
    fields = {"loss_spike", "norm_spike", "action", "window_steps", "warmup_steps", "most_in_a_row"}
    assert set(identity(Settings(guard=GuardSettings(loss_spike=4.0)))["guard"]) == fields
    back = Settings(guard=GuardSettings(loss_spike=4.0, action="roll_back", back_steps=7))
    assert identity(back)["guard"]["back_steps"] == 7


def test_a_dense_model_has_no_word_of_experts_in_it() -> None:
    assert not any("expert" in name or "rout" in name for name in identity(Settings())["model"])
    mixed = Settings(model=ModelSettings(experts=8))
    assert settings_digest(mixed) != settings_digest(Settings())
    assert differences(Settings(), mixed) == ("model.experts is 0, not 8",)


def test_predicting_ahead_is_part_of_it_where_it_is_asked_for() -> None:
    plain = identity(Settings())
    assert "predict_ahead" not in plain["model"]
    assert "ahead_weight" not in plain["train"]
    ahead = Settings(model=ModelSettings(predict_ahead=1), train=TrainSettings(ahead_weight=0.1))
    assert differences(Settings(), ahead) == (
        "model.predict_ahead is 0, not 1",
        "train.ahead_weight is 0.3, not 0.1",
    )


def test_a_warm_up_that_follows_the_steps_is_told_with_them() -> None:
    told = differences(parse_job("[train]\nsteps = 20"), parse_job("[train]\nsteps = 60"))
    assert told == ("train.steps is 20, not 60 (so the warm-up is 2 steps, not 6)",)
    stated = "[train]\nsteps = 60\n[optimizer]\nwarmup_steps = 7"
    told = differences(parse_job("[train]\nsteps = 20"), parse_job(stated))
    assert told == ("train.steps is 20, not 60", "optimizer.warmup_steps is 2, not 7")


def test_a_field_at_its_default_is_told_by_its_value_on_either_side() -> None:
    narrow = Settings(train=TrainSettings(reduction_bits=16))
    assert differences(narrow, Settings()) == ("train.reduction_bits is 16, not 32",)
    assert differences(Settings(), narrow) == ("train.reduction_bits is 32, not 16",)
