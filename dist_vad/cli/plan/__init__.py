"""What a run costs before it is started: what each rank reads and fetches, and how long the stages take.

dist-vad plan [--dataset NAME] [--ranks N] [--rate R] [--config FILE] [--KEY VALUE ...]

What is read is exact, for any number of ranks: streams are pure functions. Without `--dataset`, of the shards that are
there; with it, of shards as that data set is going to have them. Hours need a rate, which is measured, not guessed.
"""

from dist_vad.base.errors import InputError, entry_point
from dist_vad.cli.plan.readings import Reading, Size, known_readings, planned_readings, planned_shards
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings

OPTIONS = (
    Option("dataset", str | None, None, "plan for a data set whose shards are not there yet; known: ucf_crime"),
    Option("ranks", int, 8, "plan for 1, 2, 4, ... ranks up to so many", least=1),
    Option("rate", float, 0.0, "samples/s of one rank, measured in a short run; 0 = hours are left out"),
    Option("objects", float, 10.0, "objects a frame that are assumed with --dataset"),
    Option("cube_bytes", int, 8000, "bytes of a cube that are assumed with --dataset"),
)
COMMAND = Command(Settings, "What a run costs before it is started.", DEFAULT_CONFIG, OPTIONS)


SIZES = {"ucf_crime": Size(videos=800, frames=6_300_000)}
"""By the data sets' own lists; the frames of UCF-Crime as its 128 hours give them to 800 videos of usual length."""


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if options.dataset is not None and options.dataset not in SIZES:
        raise InputError(
            f"--dataset is {options.dataset!r}, whose size is not known here; allowed: {', '.join(SIZES)}; of any "
            "other, write the shards, and plan without --dataset"
        )
    if options.dataset:
        samples = planned_shards(settings, SIZES[options.dataset], options.objects)
        readings = planned_readings(settings, options.dataset, samples, options.cube_bytes)
    else:
        readings = known_readings(settings)
    for reading in readings:
        show(reading, options.ranks, options.rate)
    print("\nA shard that a node reads is fetched from a bucket once: a request for the tar, and one for its index.")


def show(reading: Reading, ranks: int, rate: float) -> None:
    """Print what each of 1, 2, 4, ... ranks reads of a source."""
    from dist_vad.data.reads import reads_of_ranks, shards_of_streams

    streams, whole = reading.streams, sum(reading.samples)
    seen = shards_of_streams(streams, reading.samples, 0, reading.steps)
    print(f"\n{reading.title}: {whole:,} samples in {len(reading.samples):,} shards, {sum(reading.bytes) / 1e9:.2f} GB")
    drawn = reading.steps * streams.share
    print(f"  {reading.steps:,} steps of {streams.share} = {drawn:,} samples, {drawn / whole:.2f} epochs")
    print(f"{'ranks':>6}{'samples a rank':>16}{'shards a rank':>18}{'GB a rank':>16}{'GB of all':>11}{'hours':>8}")
    for count in (2**n for n in range(ranks.bit_length())):
        if streams.count % count:
            print(f"{count:6} do not divide the {streams.count} streams: set stream.streams to a multiple of them")
            continue
        reads = reads_of_ranks(streams, seen, reading.bytes, reading.steps, count)
        shards, sizes = [read.shards for read in reads], [read.bytes / 1e9 for read in reads]
        few_to_many, least_to_most = f"{min(shards):,} to {max(shards):,}", f"{min(sizes):.2f} to {max(sizes):.2f}"
        hours = f"{reads[0].samples / rate / 3600:8.2f}" if rate else f"{'-':>8}"
        print(f"{count:6}{reads[0].samples:16,}{few_to_many:>18}{least_to_most:>16}{sum(sizes):11.2f}{hours}")
