"""Networks of our own, built by name."""

from photosite.nets import alexnet, cifar_resnet, convnext, efficientnet, encoder, imagenet_resnet, vgg, vit
from photosite.nets.create import create_model
from photosite.nets.registry import ModelInfo, list_models, model_info

__all__ = [
    "ModelInfo",
    "alexnet",
    "cifar_resnet",
    "convnext",
    "create_model",
    "efficientnet",
    "encoder",
    "imagenet_resnet",
    "list_models",
    "model_info",
    "vgg",
    "vit",
]
