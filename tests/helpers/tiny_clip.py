"""A CLIP of open_clip that is far too small to mean anything: it tests the machinery."""

import json
from pathlib import Path
from typing import Any

import torch

SIZES = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def make_tiny_clip(folder: Path) -> dict[str, Any]:
    """Write such a model and untrained weights for it; the task settings that name them."""
    from dist_vad.tasks.image_text import _name, _package

    open_clip = _package()
    # open_clip keeps the names of all models that a process has ever shown it.
    model, weights = folder / f"tiny-{folder.name}.json", folder / "tiny.pt"
    model.write_text(json.dumps(SIZES))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = open_clip.create_model(_name(open_clip, str(model)), load_weights=False)
    torch.save(made.state_dict(), weights)
    return {"clip_model": str(model), "clip_weights": str(weights)}
