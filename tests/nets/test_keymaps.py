"""Key maps: names of published checkpoints become ours, and only whole agreement is taken for a fit."""

from __future__ import annotations

from photosite.nets.checkpoints.keymaps import KEY_MAPS, cifar_resnet_keys, guess_key_map, is_counter, same_keys


def test_cifar_names_become_ours() -> None:
    theirs = ["module.conv1.weight", "module.layer1.0.conv1.weight", "layer2.0.shortcut.1.bias", "module.linear.bias"]
    assert [cifar_resnet_keys(key) for key in theirs] == [
        "conv1.weight",
        "layer1.0.conv1.weight",
        "layer2.0.downsample.1.bias",
        "fc.bias",
    ]


def test_a_linear_layer_inside_a_block_keeps_its_name() -> None:
    assert cifar_resnet_keys("blocks.0.linear.weight") == "blocks.0.linear.weight"


def test_equal_names_need_no_map() -> None:
    assert guess_key_map(["a", "b"], ["b", "a"]) is same_keys


def test_guess_sees_through_missing_counters() -> None:
    ours = ["conv1.weight", "bn1.weight", "bn1.num_batches_tracked", "fc.weight"]
    assert guess_key_map(ours, ["conv1.weight", "bn1.weight", "linear.weight"]) is cifar_resnet_keys
    assert is_counter("bn1.num_batches_tracked")


def test_guess_puts_back_a_prefix_that_reading_took_off() -> None:
    found = guess_key_map(["model.fc.weight", "model.fc.bias"], ["fc.weight", "fc.bias"])
    assert found is not None
    assert found("fc.bias") == "model.fc.bias"


def test_half_a_fit_is_none() -> None:
    assert guess_key_map(["conv1.weight", "fc.weight"], ["linear.weight"]) is None
    assert guess_key_map(["fc.weight"], ["linear.weight", "linear.bias"]) is None


def test_two_names_that_fall_together_are_no_fit() -> None:
    assert guess_key_map(["fc.weight", "x"], ["linear.weight", "fc.weight"]) is None


def test_every_map_is_a_function_of_names() -> None:
    for key_map in KEY_MAPS:
        assert isinstance(key_map("layer1.0.conv1.weight"), str)
