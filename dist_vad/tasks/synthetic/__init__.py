"""Synthetic anomalies: what normal cubes become when their motion or their look is changed.

`transforms` changes what a network is trained on, `sliding` what its scores are weighed by (dist_vad/scoring/).
"""
