#!/bin/sh
# Install dist_vad on a fresh Debian, from the folder that holds its pyproject.toml. Both images are made by it.
#   sh deploy/install.sh /src
# pip's own variables count, such as PIP_INDEX_URL, or PIP_EXTRA_INDEX_URL with an index of PyTorch without CUDA.
set -eu
src=$1 home=/opt/dist_vad
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv
rm -rf /var/lib/apt/lists/*
python3 -m venv "$home"
"$home/bin/pip" install --quiet --no-cache-dir --constraint "$src/constraints.txt" "$src"
ln -s "$home/bin/dist-vad" /usr/local/bin/dist-vad
