"""What a look needs of whoever finds faces, people and hands, for all the chains it holds."""

from __future__ import annotations

from abc import abstractmethod

from kfx.engine.look.chain import Chain


class Needs:
    """A look that is about to be shown has its needs met before."""

    @abstractmethod
    def _chains(self) -> tuple[Chain, ...]:
        """Those that are drawn or faded in."""

    @abstractmethod
    def _ready(self) -> tuple[Chain, ...]:
        """Those that wait to be shown."""

    @property
    def needs_person(self) -> bool:
        return any(chain.needs_person for chain in (*self._chains(), *self._ready()))

    @property
    def needs_hands(self) -> bool:
        return any(chain.needs_hands for chain in (*self._chains(), *self._ready()))

    @property
    def needs_faces(self) -> bool:
        return any(chain.plan.needs_faces for chain in self._chains())

    @property
    def needs_blendshapes(self) -> bool:
        return any(chain.plan.needs_blendshapes for chain in self._chains())
