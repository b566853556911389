"""Weights from outside, and ours for others.

    load_weights(models.resnet50(), "resnet50.safetensors")     torchvision's or timm's, in .safetensors, .npz or .pth
    save_weights(model, "mine.safetensors")                     for torch: model.load_state_dict(load_file(...))
    convert(read("resnet20.th"))                                CIFAR ResNets as well-known repositories name them

A pickle can run any code when it is opened, and a .pth is one. Nothing here opens it but torch's restricted reader.
"""

from tinyres.app.weights.convert import Converted, convert
from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.files import read, save_weights
from tinyres.app.weights.load import load_weights
from tinyres.app.weights.naming import NAMINGS

__all__ = ["NAMINGS", "Converted", "WeightsError", "convert", "load_weights", "read", "save_weights"]
