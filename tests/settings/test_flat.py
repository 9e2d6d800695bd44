"""Settings as trackers take them: every one of them, of a plain type."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from dist_vad.settings.command_line.flat import flat
from dist_vad.settings.run import Settings

PLAIN = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(PLAIN | st.none() | st.lists(PLAIN), lambda held: st.dictionaries(st.text(), held, max_size=3))


@dataclasses.dataclass
class Held:
    value: object


@given(VALUES)
def test_every_leaf_stands_under_its_dotted_name_with_a_plain_type(value):
    leaves = flat(Held(value))
    assert leaves and all(name.startswith("value") for name in leaves)
    assert all(isinstance(leaf, bool | int | float | str) for leaf in leaves.values())


def test_the_settings_of_a_run_are_hyperparameters_that_tensorboard_takes(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    values = flat(Settings(seed=7))
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_hparams(values, metric_dict={})
    assert values["seed"] == 7 and values["data.dataset"] == "plaza" and values["stage.learning_rate"]
    assert any(EventAccumulator(str(folder)).Reload() for folder in tmp_path.iterdir())
