"""An RTSP camera: H.264 over RTP, from a server in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from fake_cameras import Paint

SERVER = """
import asyncio, sys
import aio_rtsp_toolkit.server as server
asyncio.run(server.serve(sys.argv[1], "127.0.0.1", int(sys.argv[2]), control_port=int(sys.argv[3])))
"""


def write_h264(path: Path, paint: Paint, frames: int, fps: int) -> None:
    """A video file such as a camera's encoder makes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "tune": "zerolatency"})
        first = paint(0)
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        stream.codec_context.gop_size = fps
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(paint(number), format="rgb24")))
        container.mux(stream.encode(None))


@contextmanager
def rtsp_server(folder: Path) -> Iterator[str]:
    """Yield the address under which the videos of a folder are given, each at its own pace."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    command = [sys.executable, "-c", SERVER, str(folder), *map(str, ports)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", ports[0])) == 0:
                    break
            assert process.poll() is None and time.monotonic() < end, "the RTSP server does not start"
            time.sleep(0.1)
        yield f"rtsp://127.0.0.1:{ports[0]}"
    finally:
        process.kill()
        process.wait()
