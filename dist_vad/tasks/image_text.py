"""What a CLIP of open_clip says of pictures: which of some prompts describes them. Weights come from a file."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from dist_vad.base.errors import InputError
from dist_vad.base.files import file_sha256

INSTALL = 'pip install "dist_vad[vision_language]" (torchvision must be of the build of torch)'


class ImageText:
    """A CLIP that is asked always the same prompts. It is never trained.

    Args:
        model: of open_clip, with its weights.
        tokens: of the prompts, int64 [P, context length].
    """

    def __init__(self, model: Any, tokens: torch.Tensor) -> None:
        self._model = model.eval().requires_grad_(False)
        self._tokens = tokens
        seen = model.visual.preprocess_cfg
        size = seen["size"]
        self._size = (size, size) if isinstance(size, int) else tuple(size)
        self._mean, self._std = (torch.tensor(seen[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        self._prompts: torch.Tensor | None = None

    @torch.no_grad()
    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [N, 3, H, W] in [0, 1] -> the softmax over the prompts of their similarities: float32 [N, P]."""
        device = pictures.device
        prompts = self._prompts
        if prompts is None or prompts.device != device:
            self._model.to(device)
            prompts = self._prompts = self._model.encode_text(self._tokens.to(device), normalize=True)
        resized = functional.interpolate(pictures, self._size, mode="bicubic", antialias=True).clamp(0, 1)
        seen = self._model.encode_image((resized - self._mean.to(device)) / self._std.to(device), normalize=True)
        return (self._model.logit_scale.exp() * seen @ prompts.T).float().softmax(dim=1)


def check_image_text(model: str, weights: str | None) -> None:
    """Raises InputError where the package, the model or its weights are missing, saying what to fetch."""
    open_clip = _package()
    name = _name(open_clip, model)
    text = (open_clip.get_model_config(name) or {}).get("text_cfg", {})
    if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
        raise InputError(
            f"task.clip_model {model!r} has a text encoder or a tokenizer that open_clip would download; take one "
            "whose tokenizer comes with open_clip, such as ViT-B-32"
        )
    if weights is None or not Path(weights).is_file():
        found = "not given" if weights is None else f"{Path(weights).absolute()}, where no file is"
        raise InputError(
            f"task.clip_weights is {found}; `vision_language` needs the weights of {model}, which are never "
            f"downloaded: {_published(open_clip, name)}; fetch the file (open_clip_model.safetensors or .bin, .pt) and "
            "give its path"
        )


def load_image_text(model: str, weights: str, prompts: Sequence[str]) -> ImageText:
    """The model with its weights. Raises InputError for a file that does not hold them."""
    check_image_text(model, weights)
    open_clip = _package()
    name = _name(open_clip, model)
    try:
        # A path, so no tag: nothing is downloaded. Pickled files are read as plain tensors, as is open_clip's default.
        made = open_clip.create_model(
            name, pretrained=str(Path(weights).absolute()), pretrained_image=False, pretrained_text=False
        )
    except Exception as error:  # it raises whatever it met: KeyError, IndexError, RuntimeError, UnpicklingError
        first = " ".join(str(error).split())[:300]
        raise InputError(f"{weights} does not hold the weights of {model} of open_clip: {first} ...") from error
    return ImageText(made, open_clip.get_tokenizer(name)(list(prompts)))


def identity(model: str, weights: str | None) -> dict[str, str]:
    """What decides the answers, beside the prompts: model and weights, by the sha256 of a file; `missing` where it is
    not there, so that a curriculum can be planned without it."""
    return {"model": _sha256(model) if is_file(model) else model, "weights": _sha256(weights)}


def is_file(model: str) -> bool:
    """Whether the model is described by a file, and so is none of those that open_clip knows by name."""
    return model.endswith(".json")


def _sha256(file: str | None) -> str:
    return file_sha256(Path(file)) if file and Path(file).is_file() else "missing"


def _package() -> Any:
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit torch
        raise InputError(f"`vision_language` needs open_clip, and importing it says: {error}; {INSTALL}") from error
    return open_clip


def _name(open_clip: Any, model: str) -> str:
    """The name by which open_clip knows the model."""
    if not is_file(model):
        if model not in open_clip.list_models():
            raise InputError(
                f"task.clip_model is {model!r}; expected a model of open_clip, such as ViT-B-32 "
                "(open_clip.list_models() names all), or a .json file in the format of its model_configs"
            )
        return model
    if not Path(model).is_file():
        raise InputError(f"task.clip_model: no file at {Path(model).absolute()}")
    return _registered(Path(model).absolute())


@functools.cache
def _registered(path: Path) -> str:
    open_clip = _package()
    if path.stem in open_clip.list_models():
        raise InputError(f"task.clip_model {path} bears the name of a model of open_clip; rename the file")
    open_clip.add_model_config(path)
    if path.stem not in open_clip.list_models():
        raise InputError(f"task.clip_model {path} is no model of open_clip: expected embed_dim, vision_cfg, text_cfg")
    return path.stem


def _published(open_clip: Any, name: str) -> str:
    """Where the weights of a model are published, as open_clip has it."""
    found = {tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)}
    places = {
        tag: f"https://huggingface.co/{place['hf_hub'].strip('/')}" if place.get("hf_hub") else place.get("url", "")
        for tag, place in found.items()
    }
    listed = [f"{tag} at {place}" for tag, place in places.items() if place]
    best = [some for some in listed if some.startswith("laion2b")] or listed
    return f"published are, among others, {'; '.join(best[:2])}" if best else "open_clip knows none that are published"
