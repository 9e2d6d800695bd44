"""Judge anybody's frame scores against the ground truth of a data set: table, protocol check, differences, a page.

dist-vad judge SCORES... --dataset NAME --root DIR [--out DIR] [--KEY VALUE ...]

SCORES is a file (npy, npz, csv, txt, json, parquet) or a folder of files, one a video. The folder of a run, or its
frame_scores.parquet, holds its own ground truth and needs no data set.
"""

from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.judge import JudgeSettings
from dist_vad.settings.parsing import Command, Option, parse

SCORES = Option("scores", str, [], "files or folders of frame scores; the first is compared with all others", True)
COMMAND = Command(
    JudgeSettings,
    "Judge anybody's frame scores: metrics with intervals, protocol check, conventions, alarms, differences, a page.",
    options=(SCORES,),
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if not options.scores:
        raise InputError("scores are missing; usage: dist-vad judge SCORES... --dataset NAME --root DIR")
    from dist_vad.base.files import check_outputs, write_json
    from dist_vad.judge.judgement import judge
    from dist_vad.judge.methods import frame_file
    from dist_vad.judge.page import write_page
    from dist_vad.judge.record import judgement_facts, write_record
    from dist_vad.judge.text import judgement_text

    written = [Path(settings.out) / "judge.json", Path(settings.out) / "judge.html"]
    strangers = [place for place in options.scores if frame_file(Path(place)) is None]  # a run has a place for it
    check_outputs(written, strangers, "the scores")
    judgement = judge(options.scores, settings)
    print(judgement_text(judgement))
    write_json(written[0], judgement_facts(judgement))
    write_page(written[1], judgement)
    if settings.record is not None:
        written += write_record(Path(settings.record), judgement)
    print(f"written: {', '.join(map(str, written))}")
