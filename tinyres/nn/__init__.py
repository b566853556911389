"""Layers and what they are made of, under torch's names."""

from tinyres.nn import functional, init
from tinyres.nn.activation import ReLU, Sigmoid, Softmax, Tanh
from tinyres.nn.batchnorm import BatchNorm1d, BatchNorm2d
from tinyres.nn.container import Identity, Sequential
from tinyres.nn.conv import Conv2d
from tinyres.nn.dropout import Dropout
from tinyres.nn.flatten import Flatten
from tinyres.nn.linear import Linear
from tinyres.nn.loss import CrossEntropyLoss, MSELoss
from tinyres.nn.module import Buffer, Module, Parameter
from tinyres.nn.module_list import ModuleList
from tinyres.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Upsample

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Upsample",
    "functional",
    "init",
]
