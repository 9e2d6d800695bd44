"""Train and measure all rows of a table as one job.

accelerate launch launch/ablation.py [--help | --help-all] ...
"""

from dist_vad.cli.ablation import main

if __name__ == "__main__":
    main()
