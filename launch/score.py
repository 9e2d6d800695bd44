"""Score any video by a trained state: a table of frame scores, the events as JSON, and the video with both drawn in.

python launch/score.py VIDEO... --state RUN/states/NAME [--out DIR] [--online true] [--settings ...]

VIDEO is a video file, a folder of pictures, the number of a camera, or the URL of a stream.
"""

from dist_vad.cli.score import main

if __name__ == "__main__":
    main()
