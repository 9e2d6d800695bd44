"""Train and measure all rows of a table as one job. Started again, it skips what is done.

accelerate launch launch/ablation.py [--config FILE] [--dry-run] [--seeds 0,1,2] [--only ROW] [--dotted.overrides ...]
"""

from dist_vad.cli.ablation import main

if __name__ == "__main__":
    main()
