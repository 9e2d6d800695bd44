"""Train and measure all rows of a table as one job. Started again, it skips what is done.

dist-vad ablation [--config FILE] [--dry_run] [--seeds 0,1,2] [--only ROW] [--KEY VALUE ...]
"""

import json
import os

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.ablation import AblationSettings
from dist_vad.settings.parsing import CONFIGS, Command, Option, parse

OPTIONS = (
    Option("dry_run", bool, False, "print the tree, what exists of it and what the rest costs; train nothing"),
    Option("list", str | None, None, "json: print the stages in their order, each with key, parent's key, name, done"),
    Option("seeds", str | None, None, "seeds of every row, such as 0,1,2; without it, that of the base"),
    Option("only", str | None, None, "name of a row: train and measure no other; the table shows what is known of all"),
    Option("stage", str | None, None, "key of a stage, as --list prints it: train and measure no other"),
)
COMMAND = Command(
    AblationSettings, "Train and measure all rows of a table as one job.", CONFIGS / "ablation/table3.yaml", OPTIONS
)


@entry_point
def main() -> None:
    table, options = parse(COMMAND)
    from dist_vad.ablation.job import Job
    from dist_vad.ablation.selection import chosen_stages, open_record, read_seeds
    from dist_vad.ablation.text import outline, stages_json
    from dist_vad.ablation.tree import grow
    from dist_vad.cli.session import open_run
    from dist_vad.settings.provenance import provenance

    tree = grow(table, table.rows, read_seeds(options.seeds, table.base.seed))
    record = open_record(tree)
    chosen = chosen_stages(record, options.only, options.stage)
    if options.list is not None:
        if options.list != "json":
            raise InputError(f"--list is {options.list!r}; allowed: json")
        print(json.dumps(stages_json(record, chosen), indent=1))
        return
    if int(os.environ.get("RANK", "0")) == 0:
        print(outline(record), flush=True)
    if options.dry_run:
        return
    accelerator = open_run(table.base, record.needs, {key.removeprefix("base.") for key in options.asked})
    record = open_record(tree)  # the shards are there now
    job = Job(table, record, accelerator, lambda: provenance(table.base))
    job.run(chosen)
    accelerator.print(f"table: {record.folder / table.table}.json and .html")
    accelerator.end_training()
