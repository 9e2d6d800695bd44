"""Train the whole curriculum, stage after stage. Started again, it skips what is done and goes on where it stopped.

accelerate launch launch/progressive.py [--config FILE] [--dotted.overrides ...]
"""

from dist_vad.cli.progressive import main

if __name__ == "__main__":
    main()
