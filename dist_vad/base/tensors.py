"""Weights by name, and the digest by which they are known."""

import hashlib

import torch

Tensors = dict[str, torch.Tensor]


def tensors_digest(tensors: Tensors) -> str:
    """The sha256 over names, types, shapes and bytes of weights: equal digests, bit-identical weights."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        whole.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return whole.hexdigest()
