"""Key maps: how the tensor names of a published checkpoint become ours.

A key map takes one name of the file and gives ours, or None for a tensor that is not wanted. Knows names, no tensors;
`layouts` knows towers whose tensors change as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

KeyMap = Callable[[str], str | None]

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and a wrapping class put in front of every key."""


def same_keys(key: str) -> str:
    """Leave the key as it is.

    >>> same_keys("fc.weight")
    'fc.weight'
    """
    return key


def cifar_resnet_keys(key: str) -> str:
    """Name a tensor of the published CIFAR ResNets as we do.

    Their last layer is `linear`, and their shortcut B, where they have it, is `shortcut`; the rest is torchvision's.

    Source: github.com/akamaster/pytorch_resnet_cifar10, `resnet.py`.

    >>> cifar_resnet_keys("module.linear.weight"), cifar_resnet_keys("layer1.0.bn2.bias")
    ('fc.weight', 'layer1.0.bn2.bias')
    """
    key = key.removeprefix("module.").replace(".shortcut.", ".downsample.")
    return f"fc.{key.removeprefix('linear.')}" if key.startswith("linear.") else key


def with_prefix(prefix: str) -> KeyMap:
    """Make the key map that puts `prefix` in front: for a model that itself holds the network as `model`, say.

    >>> with_prefix("model.")("fc.weight")
    'model.fc.weight'
    """

    def add_prefix(key: str) -> str:
        return prefix + key

    return add_prefix


KEY_MAPS: tuple[KeyMap, ...] = (same_keys, cifar_resnet_keys, *map(with_prefix, PREFIXES))
"""The maps that `guess_key_map` tries, in this order."""


def is_counter(key: str) -> bool:
    """Tell whether this is a batch norm's count of batches, which checkpoints older than PyTorch 0.4.1 lack.

    >>> is_counter("bn1.num_batches_tracked"), is_counter("bn1.running_mean")
    (True, False)
    """
    return key.rpartition(".")[2] == "num_batches_tracked"


def guess_key_map(model_keys: Iterable[str], weights_keys: Iterable[str]) -> KeyMap | None:
    """Find the registered map that makes the keys of a file those of a model.

    Only whole agreement counts, but for the counters of batch norms, which old files lack.

    Args:
        model_keys: names in the model's state dict.
        weights_keys: names in the file.

    Returns:
        A map of `KEY_MAPS`, `same_keys` where nothing has to change; None if none fits.

    >>> guess_key_map(["fc.weight", "bn1.num_batches_tracked"], ["linear.weight"]) is cifar_resnet_keys
    True
    """
    wanted = {key for key in model_keys if not is_counter(key)}
    given = [key for key in weights_keys if not is_counter(key)]
    if len(wanted) != len(given):
        return None
    return next((key_map for key_map in KEY_MAPS if {key_map(key) for key in given} == wanted), None)
