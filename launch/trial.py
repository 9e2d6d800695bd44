"""How well the states of a run tell anomalies planted on held-out normal video. Choose a model by this, no test video
is read.

accelerate launch launch/trial.py [--config FILE] [--state DIR] [--dotted.overrides ...]
"""

from dist_vad.cli.trial import main

if __name__ == "__main__":
    main()
