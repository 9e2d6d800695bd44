"""The ground truth of a data set, for judging: from the whole data set, or from its annotations alone."""

from dist_vad.base.errors import InputError
from dist_vad.datasets import open_dataset
from dist_vad.judge.annotations import ANNOTATIONS, TruthVideo, stated_length
from dist_vad.settings.data import DataSettings
from dist_vad.settings.judge import JudgeSettings
from dist_vad.video.files import FileFrames
from dist_vad.video.source import Video


def ground_truth(settings: JudgeSettings) -> list[TruthVideo]:
    """The labelled test videos of the data set that the settings name.

    Read as `dist-vad shards write` reads it, where video is there, else from the annotations alone. Raises InputError
    where neither is found, or where no video has labels.
    """
    if settings.dataset is None:
        raise InputError(
            "whose labels count? pass --dataset NAME --root DIR; only the frame_scores.parquet of an evaluation holds "
            "its own ground truth"
        )
    data = DataSettings(
        dataset=settings.dataset,
        root=settings.root,
        labels=settings.labels,
        virtual="none",
    )
    try:
        videos = [_of_video(video) for video in open_dataset(data) if video.split == "test"]
    except InputError as fault:
        read = ANNOTATIONS.get(settings.dataset)
        if read is None:
            raise
        try:
            videos = read(data)
        except InputError as second:
            raise InputError(f"{fault}; and as annotations without video: {second}") from fault
    labelled = [video for video in videos if video.labels]
    if not labelled:
        raise InputError(
            f"{settings.root} has {len(videos)} test videos of {settings.dataset}, none with labels; nothing can be "
            "judged without ground truth"
        )
    return labelled


def _of_video(video: Video) -> TruthVideo:
    frames, known = video.open(), video.labelled_frames
    return TruthVideo(
        name=video.name,
        source_name=video.source_name or video.name,
        scene=video.scene,
        fps=frames.fps,
        frames=stated_length(frames) if known is None else known,
        exact=known is not None or not isinstance(frames, FileFrames),
        labels=video.labels,
        events=video.events,
    )
