"""Networks of our own, built by name."""

from photosite.nets import cifar_resnet, encoder, imagenet_resnet
from photosite.nets.registry import ModelInfo, create_model, list_models, model_info

__all__ = [
    "ModelInfo",
    "cifar_resnet",
    "create_model",
    "encoder",
    "imagenet_resnet",
    "list_models",
    "model_info",
]
