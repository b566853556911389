"""Reads weights from other libraries, and writes ours for them.

    load_weights(models.resnet50(), "resnet50.safetensors")     torchvision's or timm's, in .safetensors, .npz or .pth
    save_weights(model, "mine.safetensors")                     for torch: model.load_state_dict(load_file(...))
    convert(read("resnet20.th"))                                CIFAR ResNets with the names of well-known repositories

A .pth file is a pickle, which can run any code when it is opened. Only torch's restricted reader opens it here.
"""

from tinyres.app.weights.convert import Converted, convert
from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.files import read, save_weights
from tinyres.app.weights.load import load_weights
from tinyres.app.weights.naming import NAMINGS

__all__ = ["NAMINGS", "Converted", "WeightsError", "convert", "load_weights", "read", "save_weights"]
