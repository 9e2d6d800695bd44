"""Score the test video: table, metrics.json, report.html.

accelerate launch launch/evaluate.py [--help | --help-all] ...
"""

from dist_vad.cli.evaluate import main

if __name__ == "__main__":
    main()
