"""What each kind of operation does, in a line for people and a formula."""

from __future__ import annotations

from photosite.graph.ir import Graph, Node, Ref

WORDS: dict[str, tuple[str, str]] = {
    "batch_norm": (
        "Each channel is centered and scaled with statistics from training.",
        "y = γ (x − μ) / √(σ² + ε) + β",
    ),
    "layer_norm": ("Each position is centered and scaled over its own channels.", "y = γ (x − μ) / √(σ² + ε) + β"),
    "group_norm": ("Groups of channels are centered and scaled together.", "y = γ (x − μ) / √(σ² + ε) + β"),
    "rms_norm": ("Each position is scaled by its own root mean square.", "y = γ x / √(mean(x²) + ε)"),
    "relu": ("Negative values become zero.", "y = max(x, 0)"),
    "hardtanh": ("Values are cut off below and above.", "y = min(max(x, low), high)"),
    "leaky_relu": ("Negative values are made small.", "y = x where x > 0, else a x"),
    "gelu": ("Values pass in proportion to how large they are.", "y = x Φ(x)"),
    "silu": ("Values pass in proportion to how large they are.", "y = x / (1 + exp(−x))"),
    "hardswish": ("Values pass in proportion to how large they are.", "y = x min(max(x + 3, 0), 6) / 6"),
    "sigmoid": ("Values are pressed between 0 and 1.", "y = 1 / (1 + exp(−x))"),
    "softmax": ("Scores become shares that add up to 1.", "y_i = exp(x_i) / Σ exp(x_j)"),
    "max_pool2d": ("The largest value of each window is kept.", "y = max over the window"),
    "avg_pool2d": ("The values of each window are averaged.", "y = mean over the window"),
    "adaptive_avg_pool2d": ("Space is averaged away: one number for each channel.", "y_c = mean over rows and columns"),
    "mean": ("An axis is averaged away.", "y = mean(x)"),
    "add": ("Two values are added, place by place: a shortcut joins here.", "y = F(x) + x"),
    "mul": ("Two values are multiplied, place by place.", "y = a · b"),
    "cat": ("Values are put one behind the other.", "y = [a, b, …]"),
    "flatten": ("The same numbers in fewer axes.", ""),
    "view": ("The same numbers in other axes.", ""),
    "reshape": ("The same numbers in other axes.", ""),
    "permute": ("The same numbers, axes in another order.", ""),
    "transpose": ("The same numbers, two axes swapped.", ""),
    "scaled_dot_product_attention": (
        "Every position takes a weighted mean of all positions.",
        "y = softmax(q kᵀ / √d) v",
    ),
    "dropout": ("Nothing happens here outside training.", "y = x"),
    "pad": ("A border is put around.", ""),
}


def words(graph: Graph, node: Node) -> tuple[str, str]:
    """What a node does and its formula; layers with weights say their own sizes, unknown kinds say nothing."""
    weight = node.parameters.get("weight")
    if weight is not None and node.kind == "conv2d":
        filters, per_group, height, width = graph.shape_of(weight)
        stride = _first(node.args[3] if len(node.args) > 3 else node.kwargs.get("stride", 1))
        groups = node.args[6] if len(node.args) > 6 else node.kwargs.get("groups", 1)
        each = f"each sum of {height * width * per_group} products is one value"
        grouped = f" in {groups} groups" if groups != 1 else ""
        step = f" in steps of {stride}" if stride != 1 else ""
        return (
            f"{filters} kernels of {per_group} × {height} × {width} slide over the map{step}{grouped}; {each}.",
            "y[o, i, j] = Σ w[o, c, k, l] · x[c, i·s + k − p, j·s + l − p] + b[o]",
        )
    if weight is not None and node.kind == "linear":
        out, into = graph.shape_of(weight)
        return f"Every output is a sum of {into} products; there are {out}.", "y = W x + b"
    if node.kind == "add" and not all(isinstance(argument, Ref) for argument in node.args[:2]):
        return "A number is added everywhere.", "y = x + b"
    return WORDS.get(node.kind, ("", ""))


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) else value
