"""Whole frames scored beside objects, where there are clips."""

import dataclasses

import numpy as np
import pytest
from accelerate import Accelerator

from dist_vad.evaluation.clip_scores import FUSED_CLIP
from dist_vad.evaluation.evaluator import BASELINES, Evaluation
from dist_vad.evaluation.scored_model import ScoredModel
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.tasks import TASKS


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A very small plaza with a clip of the whole frame around every sixth frame of test video."""
    out = tmp_path_factory.mktemp("clips") / "shards"
    plaza = PlazaSettings(train_videos=4, test_videos=3, virtual_videos=2, frames=60)
    settings = DataSettings(plaza=plaza, train_stride=6, test_stride=4, clip_stride=6, virtual_size=32, virtual="none")
    write_shards(settings, out, WriteOptions(progress=False))
    return out


def test_clips_add_scores_of_whole_frames_to_those_of_objects_and_change_none_of_these(shards, tiny_settings, tmp_path):
    settings = dataclasses.replace(
        tiny_settings, run=str(tmp_path), shards=str(shards), score=ScoreSettings(batch=16, calibration=64, refit=0)
    )
    evaluation = Evaluation(settings, Accelerator(cpu=True))
    assert evaluation.clips is not None
    model = scored(evaluation, settings)
    both = evaluation.frame_scores(model)
    objects = evaluation.frame_scores(dataclasses.replace(model, clips=None))
    assert set(both.frames) - set(objects.frames) == {"clip_prediction", "clip_virtual", "clip_fused", FUSED_CLIP}
    for score, videos in objects.frames.items():
        np.testing.assert_equal(both.frames[score], videos)
    for video in evaluation.clips.test.manifest.videos:
        clip = both.frames["clip_fused"][video.name]
        assert clip.shape == (video.frames,) and np.isfinite(clip).all()
        # Held from one clip to the next, six frames on; the first is that of frame 6.
        assert (clip[6:54].reshape(-1, 6) == clip[6:54:6, None]).all() and len(np.unique(clip)) > 1
        total = both.frames["fused"][video.name] + clip
        assert both.frames[FUSED_CLIP][video.name].tolist() == total.tolist()


def test_where_no_clips_were_cut_nothing_of_whole_frames_is_scored(tiny_settings, tmp_path):
    score = ScoreSettings(batch=16, calibration=64, refit=0)
    settings = dataclasses.replace(tiny_settings, run=str(tmp_path), score=score)
    evaluation = Evaluation(settings, Accelerator(cpu=True))
    assert evaluation.clips is None
    baselines, _ = evaluation.score_without_learning(["prediction"])
    assert set(evaluation.frame_scores(baselines).frames) == set(BASELINES)


def scored(evaluation: Evaluation, settings: Settings) -> ScoredModel:
    """The test set scored by two heads of an untrained network."""
    tasks = ["prediction", "virtual"]
    assert set(tasks) <= set(TASKS)
    return evaluation.score_without_learning(tasks)[1]
