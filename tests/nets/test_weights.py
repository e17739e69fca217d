"""Loading into a model: everything is compared first, and a load that fails changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from photosite.errors import CorruptWeightsError, MismatchedWeightsError, WeightsError
from photosite.nets.checkpoints.keymaps import cifar_resnet_keys
from photosite.nets.checkpoints.weights import load_weights, read_weights, save_weights, sha256_of_state


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def state(seed: int = 1) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network(seed).state_dict().items()}


def assert_holds(model: nn.Module, wanted: dict[str, Tensor]) -> None:
    found = model.state_dict()
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_all_of_it_is_copied() -> None:
    model, given = network(), state()
    assert load_weights(model, given) == ()
    assert_holds(model, given)
    given["0.weight"].zero_()
    assert model[0].weight.abs().sum() > 0, "a copy, not the same memory"


def test_all_faults_at_once_with_both_shapes_and_nothing_changed() -> None:
    model, given = network(), state()
    given["0.weight"] = torch.ones(4, 3, 5, 5)
    del given["3.bias"], given["1.running_var"]
    given["4.weight"] = torch.ones(1)
    before = sha256_of_state(model)
    with pytest.raises(MismatchedWeightsError) as caught:
        load_weights(model, given)
    assert str(caught.value) == (
        "load_weights: Sequential and the weights: wanted 9 tensors, got 8; 2 missing: '1.running_var', '3.bias'; "
        "1 unexpected: '4.weight'; 1 misshapen: '0.weight' is 4 × 3 × 5 × 5, wanted 4 × 3 × 3 × 3"
    )
    assert vars(caught.value) == {
        "missing": ("1.running_var", "3.bias"),
        "unexpected": ("4.weight",),
        "misshapen": (("0.weight", (4, 3, 5, 5), (4, 3, 3, 3)),),
    }
    assert sha256_of_state(model) == before


def test_the_message_shows_ten_and_counts_the_rest() -> None:
    given = {f"extra{number:02}": torch.ones(1) for number in range(25)}
    with pytest.raises(MismatchedWeightsError, match=r"25 unexpected: 'extra00'.*'extra09' and 15 more") as caught:
        load_weights(network(), state() | given)
    assert len(vars(caught.value)["unexpected"]) == 25
    assert "extra10" not in str(caught.value)


def test_old_checkpoints_lack_the_batch_counters() -> None:
    model, given = network(), state()
    model[1].num_batches_tracked += 5
    del given["1.num_batches_tracked"]
    assert load_weights(model, given) == ("1 batch counters are not in the weights and stay as they are",)
    assert model[1].num_batches_tracked.item() == 5
    assert_holds(model, given)


def test_not_strict_loads_what_fits_and_says_what_did_not() -> None:
    model, given = network(), state()
    untouched = model[3].weight.clone()
    del given["3.weight"]
    given["head"] = torch.ones(1)
    assert load_weights(model, given, strict=False) == (
        "1 are not in the weights and stay as they are: '3.weight'",
        "1 are not in the model and were left out: 'head'",
    )
    assert_holds(model, {"0.weight": given["0.weight"], "3.weight": untouched})


def test_not_strict_still_wants_shapes_and_something_in_common() -> None:
    with pytest.raises(MismatchedWeightsError, match=r"1 misshapen: '3\.bias' is 3, wanted 2"):
        load_weights(network(), state() | {"3.bias": torch.ones(3)}, strict=False)
    with pytest.raises(MismatchedWeightsError, match="8 missing"):
        load_weights(network(), {"a": torch.ones(1)}, strict=False)
    with pytest.raises(MismatchedWeightsError, match="wanted 9 tensors, got 0"):
        load_weights(network(), {}, strict=False)


def test_key_map_as_function_and_as_mapping() -> None:
    given = state()
    renamed = {f"net.{key}": value for key, value in given.items()} | {"net.head": torch.ones(1)}

    def key_map(key: str) -> str | None:
        return None if key == "net.head" else key.removeprefix("net.")

    model = network()
    assert load_weights(model, renamed, key_map=key_map) == ("left out by the key map: 'net.head'",)
    assert_holds(model, given)
    swapped = {("last" if key == "3.bias" else key): value for key, value in given.items()}
    model = network()
    assert load_weights(model, swapped, key_map={"last": "3.bias"}) == ()
    assert_holds(model, given)


def test_a_key_map_that_makes_two_names_one() -> None:
    with pytest.raises(MismatchedWeightsError, match=r"makes '0\.weight' and '0\.bias' both 'x'"):
        load_weights(network(), state(), key_map=lambda key: "x")


def test_a_known_map_that_would_fit_is_pointed_out() -> None:
    model = nn.Sequential()
    model.add_module("fc", nn.Linear(2, 1))
    given = {"linear.weight": torch.ones(1, 2), "linear.bias": torch.ones(1)}
    with pytest.raises(MismatchedWeightsError, match="guess_key_map finds a key_map"):
        load_weights(model, given)
    assert load_weights(model, given, key_map=cifar_resnet_keys) == ()


def test_numbers_become_the_models() -> None:
    model, given = network(), state()
    half = {key: value.half() for key, value in given.items()}  # the counter too, as some do
    assert load_weights(model, half) == (
        "numbers converted from float16 to float32",
        "numbers converted from float16 to int64",
    )
    assert {value.dtype for key, value in model.state_dict().items() if "num_batches" not in key} == {torch.float32}
    # 2^-11 relative: what rounding to float16 costs; 2^-25 absolute where it is subnormal
    torch.testing.assert_close(model[0].weight.detach(), given["0.weight"], rtol=2**-11, atol=2**-25)


def test_numbers_of_another_kind_do_not_fit() -> None:
    given = state() | {"3.bias": torch.ones(2, dtype=torch.complex64)}
    with pytest.raises(MismatchedWeightsError, match=r"'3\.bias' is 2 complex64, wanted 2 float32"):
        load_weights(network(), given)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_noted_or_refused(bad: float) -> None:
    given = state()
    given["0.weight"][1, 2, 0, 0] = bad
    model = network()
    before = sha256_of_state(model)
    with pytest.raises(CorruptWeightsError, match=r"1 tensors hold NaN or infinity: '0\.weight'"):
        load_weights(model, given, strict_values=True)
    assert sha256_of_state(model) == before
    assert load_weights(model, given) == ("1 tensors hold NaN or infinity: '0.weight'",)


def test_a_number_too_large_for_the_models_dtype_is_infinity() -> None:
    model = nn.Linear(1, 1).half()
    notes = load_weights(model, {"weight": torch.full((1, 1), 1e6), "bias": torch.ones(1)})
    assert notes == ("numbers converted from float32 to float16", "1 tensors hold NaN or infinity: 'weight'")


def test_a_matrix_of_zeros_is_noted_and_a_bias_of_zeros_is_not() -> None:
    given = state() | {"3.weight": torch.zeros(2, 4), "3.bias": torch.zeros(2)}
    assert load_weights(network(), given) == ("1 tensors hold only zeros: '3.weight'",)
    with pytest.raises(CorruptWeightsError, match="only zeros"):
        load_weights(network(), given, strict_values=True)


def test_a_model_without_memory_takes_the_tensors_themselves() -> None:
    with torch.device("meta"):
        model = network()
    given = state()
    with pytest.raises(WeightsError, match=r"meta device.*assign=True"):
        load_weights(model, given)
    load_weights(model, given, assign=True)
    assert_holds(model, given)
    assert model[0].weight.data_ptr() == given["0.weight"].data_ptr()
    assert model[0].weight.requires_grad


def test_a_model_without_state_takes_nothing() -> None:
    assert load_weights(nn.ReLU(), {}) == ()


def test_hash_of_state_sees_names_shapes_dtypes_and_values_and_no_order() -> None:
    class Held(nn.Module):
        def __init__(self, **tensors: Tensor) -> None:
            super().__init__()
            for name, value in tensors.items():
                self.register_buffer(name, value)

    a, b = torch.arange(4.0), torch.ones(2)
    first = sha256_of_state(Held(a=a, b=b))
    assert first == sha256_of_state(Held(b=b.clone(), a=a.clone()))
    assert len(first) == 64
    others = [
        Held(a=a, c=b),
        Held(a=a.reshape(2, 2), b=b),
        Held(a=a.view(torch.int32), b=b),
        Held(a=a, b=b + 1e-6),
        Held(a=a),
        Held(a=a, b=b, c=torch.empty(0)),
    ]
    assert len({first, *map(sha256_of_state, others)}) == 7
    assert sha256_of_state(Held(a=torch.arange(6.0).reshape(2, 3).T)) == sha256_of_state(
        Held(a=torch.tensor([[0.0, 3], [1, 4], [2, 5]]))
    )


def test_hash_of_state_does_not_change_between_versions() -> None:
    model = nn.Linear(1, 1)
    load_weights(model, {"weight": torch.ones(1, 1), "bias": torch.zeros(1)})
    # sha256(b"'bias' float32 (1,)\n" + 4 zero bytes + b"'weight' float32 (1, 1)\n" + b"\0\0\x80\x3f")
    assert sha256_of_state(model) == "0aedb47dd2cff8e59eb1d9f5cf90ba4a89d8e304726f25fe94d25b8cc53a6f60"


def test_saved_and_read_weights_load(tmp_path: Path) -> None:
    given = state()
    save_weights(tmp_path / "w.safetensors", given)
    model = network()
    assert load_weights(model, read_weights(tmp_path / "w.safetensors"), strict_values=True) == ()
    assert_holds(model, given)


def test_the_error_names_the_file_but_not_the_folder(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", {"a": torch.ones(1)})
    with pytest.raises(MismatchedWeightsError, match=r"Sequential and 'w\.safetensors': wanted 9 tensors, got 1"):
        load_weights(network(), read_weights(tmp_path / "w.safetensors"))


def test_the_real_checkpoint_loads_into_the_papers_network(shared_data: Path) -> None:
    registry = pytest.importorskip("photosite.nets.create")
    path = shared_data / "weights" / "cifar10-resnet20.th"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the real data")
    read = read_weights(path)
    model = registry.create_model("cifar_resnet20")
    notes = load_weights(model, read, key_map=cifar_resnet_keys, strict_values=True)
    assert notes == ("19 batch counters are not in the weights and stay as they are",)
    torch.testing.assert_close(model.fc.weight.detach(), read.tensors["linear.weight"], rtol=0, atol=0)
    torch.testing.assert_close(
        model.layer3[2].bn2.running_var, read.tensors["layer3.2.bn2.running_var"], rtol=0, atol=0
    )
