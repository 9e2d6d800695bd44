"""Cameras, watched for as long as they run: events as they happen, a live page, and nothing that grows with time.

One thread of each camera reads (dist_vad/video/live.py), one finds objects and cuts cubes (camera.py); one thread
scores the cubes of all cameras together (batcher.py) and makes events of the scores (watched.py), which go to files and
sinks.
"""
