"""What the loader promises to a loop: the same batches whoever reads them, errors in their place, nothing left over."""

import functools
import itertools
import multiprocessing
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch.utils.data import DataLoader

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.loader import BatchDataset, Loader, Source
from dist_vad.data.manifest import Manifest, tar_path
from dist_vad.data.readers import BufferSpec, Readers
from dist_vad.data.shardset import Batch, ShardSet
from dist_vad.data.streams import Streams
from dist_vad.settings.stream import StreamSettings

SHARE, STREAMS = 16, 8
spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def sources(tiny_shards) -> dict[str, list[Source]]:
    return sources_of(tiny_shards / "cube-train")


def sources_of(folder: Path) -> dict[str, list[Source]]:
    shards = ShardSet(folder)
    sizes = [shard.samples for shard in shards.manifest.shards]
    return {"cube": [Source(shards, Streams(sizes, SHARE, StreamSettings(streams=STREAMS, window=7), (0,), "cube"))]}


def whole(sources: dict[str, list[Source]], step: int) -> bytes:
    """The clips of a global batch in the order of their positions."""
    (source,) = sources["cube"]
    return source.shards.read(source.streams.global_batch(step).ravel()).clips.numpy().tobytes()


def by_ranks(
    sources: dict[str, list[Source]], world: int, micro_batch: int, start: int, stop: int, processes: int = 0
) -> list[bytes]:
    """The same of the steps start..stop-1, put together from what every rank of `world` reads."""
    loaders = [Loader(sources, r, world, micro_batch, 1, prefetch=2, processes=processes) for r in range(world)]
    ranks = [loader.steps(start, stop) for loader in loaders]
    found = []
    for step, together in zip(range(start, stop), zip(*ranks, strict=True), strict=True):
        assert all(some == step for some, _ in together)
        parts = [batch["cube"] for _, batches in together for batch in batches]
        positions = np.concatenate([part.positions for part in parts])
        assert np.array_equal(np.sort(positions), np.arange(SHARE))
        found.append(torch.cat([part.clips for part in parts])[np.argsort(positions)].numpy().tobytes())
    return found


@pytest.mark.parametrize("micro_batch", [0, 2])
def test_1_2_4_and_8_ranks_agree_batch_by_batch(sources, micro_batch):
    expected = [whole(sources, step) for step in range(12)]
    for world in (1, 2, 4, 8):
        assert by_ranks(sources, world, micro_batch, 0, 12) == expected, world


def test_processes_read_what_threads_read(sources):
    assert by_ranks(sources, 1, 4, 3, 9, processes=2) == by_ranks(sources, 1, 4, 3, 9)


@pytest.mark.parametrize("after", [1, 2, 8])
@pytest.mark.parametrize("stopped", [0, 3, 11])
def test_a_run_of_4_ranks_goes_on_with_another_number(sources, after, stopped):
    expected = [whole(sources, step) for step in range(14)]
    assert by_ranks(sources, 4, 0, 0, stopped) + by_ranks(sources, after, 2, stopped, 14) == expected


def test_steps_far_away_cost_no_more_memory_and_are_read_like_any_other(sources):
    far = 10**9
    assert by_ranks(sources, 2, 0, far, far + 2) == [whole(sources, far), whole(sources, far + 1)]


@pytest.mark.parametrize(("steps", "prefetch"), [(0, 3), (1, 5), (4, 5), (6, 1)])
def test_every_step_is_given_once_however_much_is_read_ahead(sources, steps, prefetch):
    loader = Loader(sources, 0, 1, 0, threads=3, prefetch=prefetch)
    assert [step for step, _ in loader.steps(5, 5 + steps)] == list(range(5, 5 + steps))


@pytest.mark.parametrize("world", [3, 16])
def test_ranks_that_cannot_share_the_streams_are_refused_at_the_start(sources, world):
    with pytest.raises(InputError, match=f"{world} ranks do not divide the {STREAMS} streams; set stream.streams to a"):
        Loader(sources, 0, world, 0, threads=1, prefetch=1)


@pytest.mark.parametrize("micro_batch", [3, 5])
def test_a_micro_batch_that_does_not_divide_is_refused_with_the_numbers(sources, micro_batch):
    with pytest.raises(InputError, match=f"micro_batch is {micro_batch}, which does not divide the {SHARE} samples"):
        Loader(sources, 0, 1, micro_batch, threads=1, prefetch=1)


@pytest.mark.parametrize("processes", [0, 2])
def test_what_precedes_a_damaged_sample_is_given_and_then_the_error_comes(small_copy, processes):
    sources = sources_of(small_copy)
    (source,) = sources["cube"]
    bad = int(source.streams.global_batch(6).ravel()[3])
    damage(source.shards, bad)
    clean = next(n for n in itertools.count() if bad in source.streams.global_batch(n))
    given = []
    with pytest.raises(InputError, match=source.shards.key(bad)):
        for step, _ in Loader(sources, 0, 1, 0, 2, prefetch=4, processes=processes).steps(0, 50):
            given.append(step)
    assert given == list(range(clean))


def test_a_loop_that_stops_early_leaves_no_thread(sources):
    before = threading.active_count()
    steps = Loader(sources, 0, 1, 0, threads=3, prefetch=4).steps(0, 10**6)
    next(steps)
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert threading.active_count() == before


@pytest.mark.parametrize("processes", [0, 2])
def test_batches_that_are_kept_are_not_written_over(sources, processes):
    loader = Loader(sources, 0, 1, 0, 2, prefetch=2, processes=processes)
    kept = [(step, batches[0]["cube"]) for step, batches in loader.steps(0, 30)]
    assert [step for step, _ in kept] == list(range(30))
    for step, batch in kept:
        assert batch.clips[np.argsort(batch.positions)].numpy().tobytes() == whole(sources, step)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_of_a_data_loader_share_the_steps_of_a_batch_dataset(sources, workers):
    data = BatchDataset(sources, start=3, stop=10)
    given = [(step, some["cube"].clips.numpy().tobytes()) for step, some in DataLoader(data, None, num_workers=workers)]
    assert given == [(step, whole(sources, step)) for step in range(3, 10)]


def test_a_reading_process_that_is_killed_ends_the_run_with_a_message(sources):
    steps = Loader(sources, 0, 1, 0, threads=1, prefetch=2, processes=1).steps(0, 10**6)
    next(steps)
    (reader,) = (some for some in psutil.Process().children() if "spawn_main" in " ".join(some.cmdline()))
    reader.kill()
    with pytest.raises(Unavailable, match=r"a process that reads batches was killed .*train\.processes"):
        for _ in steps:
            pass


def test_a_reading_process_that_lags_behind_does_not_keep_the_others_waiting(sources, tmp_path):
    spec = BufferSpec(SHARE, sources["cube"][0].shards.manifest)
    with Readers(2, functools.partial(lag_at_step_0, tmp_path), {"cube": spec}) as readers:
        first = readers.request(0, [0])
        for step in range(1, 8):
            answer = readers.request(step, [0])
            assert answer()[0]["cube"].labels.eq(step).all()
        (tmp_path / "go on").touch()
        assert first()[0]["cube"].labels.eq(0).all()


def lag_at_step_0(folder: Path, kind: str, step: int, rank: int, batch: Batch) -> None:
    """Fill in the step; of step 0 not before there is a file."""
    until = time.monotonic() + 60
    while step == 0 and not (folder / "go on").exists():
        assert time.monotonic() < until, "the other steps were not read meanwhile"
        time.sleep(0.01)
    batch.labels.fill_(step)


def test_processes_that_read_end_with_the_one_that_asked(sources):
    asking = spawn.Process(target=read_for_ever, args=(sources,))
    asking.start()
    while len(readers := psutil.Process(asking.pid).children()) < 2 and asking.is_alive():
        time.sleep(0.1)
    asking.kill()
    assert readers and psutil.wait_procs(readers, timeout=60)[1] == []


def test_processes_that_read_leave_signals_to_the_one_that_asked(sources):
    steps = Loader(sources, 0, 1, 0, threads=1, prefetch=2, processes=1).steps(0, 40)
    given = [next(steps)[0]]
    (reader,) = (some for some in psutil.Process().children() if "spawn_main" in " ".join(some.cmdline()))
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):  # as a group of processes gets them
        reader.send_signal(number)
    assert given + [step for step, _ in steps] == list(range(40))


def read_for_ever(sources: dict[str, list[Source]]) -> None:
    for _ in Loader(sources, 0, 1, 0, threads=1, prefetch=2, processes=2).steps(0, 2**62):
        pass


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("processes", [0, 1])
def test_for_a_gpu_batches_lie_in_page_locked_memory(sources, processes):
    loader = Loader(sources, 0, 1, 0, threads=2, prefetch=2, pin=True, processes=processes)
    for step, (batch,) in loader.steps(0, 4):
        assert all(part.is_pinned() for part in (batch["cube"].clips, batch["cube"].scenes, batch["cube"].labels))
        assert batch["cube"].clips.numpy().tobytes() == whole(sources, step)


@pytest.fixture
def small_copy(tiny_shards, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_shards / "cube-train", tmp_path / "cube-train"))


def damage(shards: ShardSet, sample: int) -> None:
    """Flip a bit of a sample's scene feature in its tar."""
    number = int(np.searchsorted(shards.starts, sample, side="right")) - 1
    row = shards.index(number)[sample - shards.starts[number]]
    tar = tar_path(Path(shards.where), Manifest.load(Path(shards.where)).shards[number])
    with tar.open("r+b") as file:
        file.seek(int(row["offset"][1]) + int(row["size"][1]) - 1)
        last = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([last ^ 1]))
