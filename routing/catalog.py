"""Which models there are, what they are called, and with which credentials they are reached. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from providers.base import GenerationOptions, ModelSpec
from routing.errors import UnknownModel

AUTO = "auto"
"""The word for "the router decides"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and how to ask it: `fast` and `reason` may be one model with different effort."""

    model: ModelSpec
    options: GenerationOptions = field(default_factory=GenerationOptions)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that may be asked.

    `models`: ref -> spec. `aliases`: name -> choices in order of preference. `primary` and `fallbacks`: what
    answers when nobody chose. `credentials`: provider -> credential ids in the order to try. `retired`: refs in
    lower case that the vendor took away -> what answers for them.
    """

    models: Mapping[str, ModelSpec]
    primary: Choice
    fallbacks: tuple[Choice, ...] = ()
    aliases: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    credentials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, GenerationOptions] = field(default_factory=dict)
    retired: Mapping[str, Choice] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[Choice, ...]:
        """The choices behind an alias, a ref ("provider/model") or a model id that only one provider has.

        Letter case does not matter. Raises UnknownModel.
        """
        wanted = name.strip().lower()
        for alias, choices in self.aliases.items():
            if alias.lower() == wanted:
                return choices
        for ref, spec in self.models.items():
            if ref.lower() == wanted:
                return (self._choice(spec),)
        if wanted in self.retired:
            return (self.retired[wanted],)
        matches = [spec for spec in self.models.values() if spec.model.lower() == wanted]
        if len(matches) == 1:
            return (self._choice(matches[0]),)
        gone = [choice for ref, choice in self.retired.items() if ref.partition("/")[2] == wanted]
        if not matches and len(gone) == 1:
            return (gone[0],)
        raise UnknownModel(name.strip(), self.nearest(wanted))

    def nearest(self, name: str) -> Sequence[str]:
        """Names that look like `name`, best first, at most three."""
        names = {known.lower(): known for known in (*self.aliases, AUTO, *self.models)}
        ids = {spec.model.lower(): ref for ref, spec in self.models.items()}
        found = difflib.get_close_matches(name, [*names, *ids], n=3, cutoff=0.5)
        return tuple(dict.fromkeys(names.get(close) or ids[close] for close in found))

    def _choice(self, spec: ModelSpec) -> Choice:
        return Choice(spec, self.options.get(spec.ref, GenerationOptions()))
