"""Score the test video by a state and all its ancestors: table, metrics.json and report.html.

accelerate launch launch/evaluate.py [--config FILE] [--state DIR] [--dotted.overrides ...]
"""

from dist_vad.cli.evaluate import main

if __name__ == "__main__":
    main()
