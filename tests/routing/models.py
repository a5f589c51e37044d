"""Models and catalogues for the routing tests."""

from __future__ import annotations

from providers.base import ModelSpec
from providers.profile import ModelProfile
from routing.catalog import Catalog, Choice


def model(ref: str, window: int = 8192, *, prefill: bool = False, images: bool = False) -> ModelSpec:
    """A model by its ref."""
    provider, _, name = ref.partition("/")
    profile = ModelProfile(prefill=prefill, images=images)
    return ModelSpec(provider, name, context_window=window, profile=profile)


def catalog(
    *specs: ModelSpec, aliases: dict[str, str] | None = None, keys: dict[str, tuple[str, ...]] | None = None
) -> Catalog:
    """The first is the primary, the others its fallbacks."""
    by_ref = {spec.ref: spec for spec in specs}
    return Catalog(
        models=by_ref,
        primary=Choice(specs[0]),
        fallbacks=tuple(Choice(spec) for spec in specs[1:]),
        aliases={alias: (Choice(by_ref[ref]),) for alias, ref in (aliases or {}).items()},
        credentials=keys or {},
    )
