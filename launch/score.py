"""Score any video by a trained state.

python launch/score.py [--help | --help-all] ...
"""

from dist_vad.cli.score import main

if __name__ == "__main__":
    main()
