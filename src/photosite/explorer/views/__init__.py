"""What the page asks: a file for each question, and `VIEWS`, the table of them."""

from __future__ import annotations

from collections.abc import Mapping

from photosite.explorer.api import View
from photosite.explorer.views.activation_map import activation_map
from photosite.explorer.views.convolution import convolution
from photosite.explorer.views.feature_maps import feature_maps
from photosite.explorer.views.first_layer import first_layer
from photosite.explorer.views.front_ends import front_ends, token, token_map
from photosite.explorer.views.hierarchy import hierarchy
from photosite.explorer.views.map_audit import map_audit
from photosite.explorer.views.network_fields import network_fields, network_heat
from photosite.explorer.views.node_kernels import node_kernels
from photosite.explorer.views.norm_statistics import norm_statistics
from photosite.explorer.views.normalization import batch_error, normalization
from photosite.explorer.views.overview import overview
from photosite.explorer.views.patch import patch
from photosite.explorer.views.patch_embedding import patch_embedding
from photosite.explorer.views.pixels import pixels
from photosite.explorer.views.pooling import pooling
from photosite.explorer.views.residual import residual, residual_table
from photosite.explorer.views.stack import stack_field
from photosite.explorer.views.steps import steps
from photosite.explorer.views.tensor import tensor
from photosite.explorer.views.top_patches import collected, patches
from photosite.explorer.views.why import why

VIEWS: Mapping[str, View] = {
    "activation-map": activation_map,
    "batch-error": batch_error,
    "collected": collected,
    "convolution": convolution,
    "feature-maps": feature_maps,
    "first-layer": first_layer,
    "front-ends": front_ends,
    "hierarchy": hierarchy,
    "map-audit": map_audit,
    "network-fields": network_fields,
    "network-heat": network_heat,
    "node-kernels": node_kernels,
    "norm-statistics": norm_statistics,
    "normalization": normalization,
    "overview": overview,
    "patch": patch,
    "patch-embedding": patch_embedding,
    "patches": patches,
    "pixels": pixels,
    "pooling": pooling,
    "residual": residual,
    "residual-table": residual_table,
    "stack-field": stack_field,
    "steps": steps,
    "tensor": tensor,
    "token": token,
    "token-map": token_map,
    "why": why,
}
"""By the names that a page calls them."""
