"""A net as a link of a chain: crops go to it when it is free, its results stick to faces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from kfx import cuts
from kfx.engine.look import net_rehearsal
from kfx.engine.look.net_jobs import FRAME, Ask, Asking, Job
from kfx.engine.look.net_results import Shown, Slots
from kfx.engine.look.net_timing import Timing
from kfx.errors import KfxError
from kfx.neural import answer, flow, providers, refine, session
from kfx.neural.aligned import Affine
from kfx.neural.card import Card
from kfx.neural.worker import Done, Pace, Runner
from kfx.params import Value
from kfx.render.gpu import Gpu
from kfx.render.reproject import LOW
from kfx.types import Face, Tick

UNSEEN = 1 / 256  # of a mix: it can't be seen, but keeps a net awake until its beat
RETRY_S = (0.1, 2.0)  # after the first fault, and at most


class NetLayer:
    """``draw`` once a tick, in the thread that owns `gpu`. A net's fault never leaves it.

    What happened is told by `news`, each thing once; `facts` are for the report: where the net
    runs, the ms of its last run, and how often it runs live.
    """

    def __init__(self, gpu: Gpu, net: session.Net, frame: tuple[int, int], pace: Pace) -> None:
        """`net` as opened for a `frame` of this size; `pace` says when it runs."""
        self.card = card = net.card
        self._gpu, self._frame = gpu, frame
        self._net = net
        self.facts: dict[str, Any] = {"name": card.name, "ms": round(self._net.ms, 2)}
        self._states: dict[int, session.State] = {}  # of the thread that runs the net
        self._runner: Runner = pace(self._work)
        self._asking = Asking(gpu, card, frame, net.size, exact=self._runner.exact)
        self._slots = Slots(gpu, frame, card)
        self._flow = flow.Motion() if card.region == "frame" else None
        self._refiner = refine.Refiner()
        self._epoch = 0
        self._cut = True
        self._due = 0.0
        self._faults = 0
        self._failed = ""  # offline, why this picture's run did
        self._timing = Timing()
        self._asked: Job | None = None  # what the runner has
        self._released = False
        self._cuts = cuts.Cuts()
        self._told: set[str] = set()
        self._news: list[str] = []
        self._place()

    def _place(self) -> None:
        """Where the net runs: told when the show begins, and when its provider is lost in it."""
        where = providers.short(self._net.provider)
        for note in self._net.fallbacks[len(self.facts.get("passed_over", ())) :]:
            self._news.append(f"{self.card.name}: runs on {where}; {note}")
        self.facts |= {"provider": where, "passed_over": list(self._net.fallbacks)}

    def news(self) -> list[str]:
        """What is to be told since the last call."""
        news, self._news = self._news, []
        return news

    def release(self) -> None:
        """End the thread and give everything back."""
        self._released = True
        self._runner.close()
        if self._asked is not None:
            self._drop(self._asked)
        self._slots.release()
        self._asking.release()

    def reset(self) -> None:
        """A cut: no result and no state of before it is of use."""
        self._epoch += 1
        self._cut = True
        self._due = 0.0
        self._timing.restart()
        self._slots.forget()

    def inherit(self, old: NetLayer) -> None:
        """Go on where the layer of another chain stands: same net and look, another size.

        What that one draws next is of no use any more.
        """
        if old._net is not self._net:
            return
        self._slots.inherit(old._slots)
        # A run of the old one may be under way: it holds the net's lock while it uses these.
        self._states, self._cut = old._states, old._cut
        self._timing, self._due, self._faults = old._timing, old._due, old._faults
        self._told |= old._told
        self.facts.update(old.facts)

    def rehearsed(self) -> Iterator[None]:
        """Draw a few ticks where nobody sees them, see `net_rehearsal`; one at each step."""
        if self._runner.exact:
            return
        canvas, spare = self._gpu.acquire(self._frame), self._gpu.acquire(self._frame)
        runner, facts = self._runner, dict(self.facts)
        self._runner = stand = net_rehearsal.Stand(self.card, self._net.size)
        try:
            for tick in net_rehearsal.ticks(self._frame):
                values = {name: knob.default for name, knob in self.card.knobs.items()}
                self.draw(canvas, spare, tick, tick.faces, values | {"rate_hz": 0.0})
                self._gpu.finish()
                yield
        finally:
            if stand.job is not None:
                self._drop(stand.job)
            self._runner, self._timing, self._asked = runner, Timing(), None
            if self._released:  # in the middle of it
                runner.close()
            self.facts.clear()
            self.facts.update(facts)
            self.reset()
            for texture in (canvas, spare):
                self._gpu.release(texture)

    def draw(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        tick: Tick,
        faces: Sequence[Face],
        values: Mapping[str, Value],
    ) -> bool:
        """Draw what there is for this tick; True where the picture is in `spare` afterwards."""
        if self._cuts.at(tick.frame.pixels) or tick.dt == 0.0:
            self.reset()
        whole = self.card.region == "frame"
        shown = [face for face in faces if np.isfinite(face.landmarks).all()]
        self._slots.keep({FRAME} if whole else {face.slot for face in shown})
        self._timing.rest(tick, idle=not (shown or whole))
        self._take(tick.time)
        mix = float(values["mix"])  # type: ignore[arg-type]
        # An exact result is there when it is wanted; what remembers has to see every frame.
        asleep = self._runner.exact and mix < UNSEEN and not self.card.role("state")
        due = tick.time >= self._due - 1e-6 and not asleep
        if due and self._runner.free(tick.time) and (shown or whole):
            self._offer(canvas, tick, shown, values)
            if self._runner.exact:
                self._take(tick.time)
                self._try_again(canvas, tick, shown, values)
        self._watch(tick.time)
        amount = mix * self._amount(tick.time)
        if amount < UNSEEN:
            return False
        if whole:
            return self._draw_frame(canvas, spare, tick, values, amount)
        self._draw_faces(canvas, spare, tick, shown, values, amount)
        return False

    def _try_again(
        self,
        canvas: moderngl.Texture,
        tick: Tick,
        faces: Sequence[Face],
        values: Mapping[str, Value],
    ) -> None:
        """Offline a run that failed is done again, from nothing; `KfxError` if that fails too.

        A film that is the plate from there on, for all its warning, would be delivered.
        """
        why, self._failed = self._failed, ""
        if not why:
            return
        self._offer(canvas, tick, faces, values)
        self._take(tick.time)
        if self._failed:
            raise KfxError(f"{self.card.name}: {self._failed}")
        self._tell(f"{why}; run again from nothing at {tick.time:.3f} s")

    def _draw_faces(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        tick: Tick,
        faces: Sequence[Face],
        values: Mapping[str, Value],
        amount: float,
    ) -> None:
        there = [(face, self._slots.shown(face.slot)) for face in faces]
        drawn = [(face, one) for face, one in there if one is not None]
        light = 0.0 if self._runner.exact else float(values.get("light", 0.0))  # type: ignore[arg-type]
        for face, one in sorted(drawn, key=lambda pair: pair[0].iod):
            fade = self._fade(tick.time, one)
            shifts = (None, None) if self._runner.exact else self._shifts(canvas, face, one, tick)
            self._gpu.copy(canvas, spare)
            wanted = light > 0.0 or self.card.edge == "skin"
            to_crop = self._asking.low(spare, face, self._slots.low if wanted else None)
            self._slots.draw_face(
                canvas,
                spare,
                face,
                one,
                fade=fade,
                to_crop=_shares(to_crop, LOW),
                shifts=shifts,
                amount=amount * face.presence,
                light=light,
                feather_iod=float(values.get("feather", 0.16)),  # type: ignore[arg-type]
            )

    def _shifts(
        self, canvas: moderngl.Texture, face: Face, one: Shown, tick: Tick
    ) -> tuple[refine.Points | None, refine.Points | None]:
        """By how much the landmarks of both results are corrected, see `refine`."""
        newer = one.newer_of.views.get(face.slot)
        if newer is None:
            return None, None
        shift = self._refiner.shift(self._asking.view(canvas, face, tick), newer)
        # The older one's correction is known as seen from the newer one: a flow less each frame.
        return shift if one.step is None else shift + one.step, shift

    def _draw_frame(
        self,
        canvas: moderngl.Texture,
        spare: moderngl.Texture,
        tick: Tick,
        values: Mapping[str, Value],
        amount: float,
    ) -> bool:
        one = self._slots.shown(FRAME)
        if one is None:
            return False
        flows: tuple[Any, Any] = (None, None)
        light, fade = 0.0, 1.0
        if not self._runner.exact:
            fade = self._fade(tick.time, one)
            light = float(values.get("light", 0.0))  # type: ignore[arg-type]
            self._asking.low(canvas, None, self._slots.low)
            assert self._flow is not None
            newer: Job = one.newer_of
            if newer.grey is not None:
                now = self._asking.grey(canvas)
                flow_ = self._flow.between(now, newer.grey, tick.matte, newer.person)
                older = flow_ if one.step is None else self._flow.onwards(flow_, one.step)
                flows = (None if fade >= 1.0 else older, flow_)
        self._slots.draw_frame(
            spare, canvas, one, flows=flows, fade=fade, amount=amount, light=light
        )
        return True

    def _fade(self, time: float, one: Shown) -> float:
        """How far the newer result has replaced the older one."""
        return 1.0 if self._runner.exact else self._timing.fade(time, one.since)

    def _amount(self, time: float) -> float:
        return 1.0 if self._runner.exact else self._timing.amount(time)

    def _watch(self, time: float) -> None:
        limit_s = self._timing.limit_s
        if self._runner.waiting_s(time) > limit_s:
            self._tell(f"no answer for {limit_s:.1f} s; the plate is shown until it comes")

    def _drop(self, job: Job) -> None:
        for low in job.lows.values():
            self._gpu.release(low)

    def _tell(self, text: str) -> None:
        kind = re.sub(r"\d+", "0", text)  # a wait of 1.2 s after one of 1.1 s is no news
        if kind not in self._told and len(self._told) < 20:
            self._told.add(kind)
            self._news.append(f"{self.card.name}: {text.removeprefix(f'{self.card.name}: ')}")

    def _offer(
        self,
        canvas: moderngl.Texture,
        tick: Tick,
        faces: Sequence[Face],
        values: Mapping[str, Value],
    ) -> None:
        job = self._asking.job(canvas, tick, faces, values, cut=self._cut, epoch=self._epoch)
        self._cut = False
        rate = float(values.get("rate_hz", 0.0))  # type: ignore[arg-type]
        if not self._runner.exact:
            self._due = max(self._due + 1.0 / rate, tick.time) if rate > 0.0 else tick.time
            if rate > 0.0 and self._due - tick.time < 0.5 / rate:
                self._due = tick.time + 1.0 / rate
        self._asked = job
        self._runner.offer(job, tick.time)

    def _work(self, job: Job) -> dict[int, answer.Drawn]:
        """What the runner does, maybe in its own thread."""
        out = {}
        with self._net.lock:
            if job.cut:
                self._states.clear()
            for ask in job.asks:
                state = self._states.setdefault(ask.slot, {}) if self.card.role("state") else None
                answers = self._net.run(ask.given, state)
                out[ask.slot] = answer.drawn(self.card, answers, ask.given.picture, job.knobs)
            for slot in self._states.keys() - {ask.slot for ask in job.asks}:
                del self._states[slot]
        return out

    def _take(self, time: float) -> None:
        done = self._runner.take(time)
        if done is None:
            return
        job: Job = done.job
        self._asked = None
        timing = self._timing
        timing.run_s = done.ms / 1000
        late = not self._runner.exact and time - job.time > timing.limit_s
        if done.error or late or job.epoch != self._epoch:
            self._drop(job)
            if done.error:
                self._fault(done, time)
            return
        self._faults = 0
        if self._told and not self._runner.exact:
            self._told.clear()  # the next fault is another one, though its words be the same
            self._news.append(f"{self.card.name} is back")
        self.facts["ms"] = round(done.ms, 2)
        self._place()
        if not timing.came(time, job.time):
            self._slots.forget()  # what was shown before a pause isn't faded from
        if timing.period_s > 0.0 and not self._runner.exact:
            self.facts["hz"] = round(1.0 / timing.period_s, 1)
        for ask in job.asks:
            self._slots.add(ask.slot, ask, job, done.result[ask.slot], time, self._step(ask, job))

    def _step(self, ask: Ask, job: Job) -> npt.NDArray[np.float32] | None:
        """How the result before is seen from a new one, worked out once: see `refine`, `flow`."""
        before, view = self._slots.shown(ask.slot), job.views.get(ask.slot)
        if before is None:
            return None
        old: Job = before.newer_of
        if self._flow is not None and job.grey is not None and old.grey is not None:
            return self._flow.between(job.grey, old.grey, job.person, old.person)
        older = old.views.get(ask.slot)
        if view is None or older is None:
            return None
        return self._refiner.shift(view, older)

    def _fault(self, done: Done, time: float) -> None:
        """The plate for this link, told once; another try soon."""
        self._faults += 1
        self._slots.forget()
        self._timing.restart()
        self._cut = True
        if self._runner.exact:
            self._failed = done.error.removeprefix(f"{self.card.name}: ")
            return
        self._tell(f"{done.error}; the plate is shown in its place")
        self._due = time + min(RETRY_S[1], RETRY_S[0] * 2.0 ** min(self._faults, 10))


def wants_person(cards: Iterable[Card], *, exact: bool) -> bool:
    """Whether a net wants the person matte: as its mask, or to guard what is carried on."""
    return any(
        any(port.source == "person" for port in card.role("mask"))
        or (card.region == "frame" and not exact)
        for card in cards
    )


def _shares(to_crop: Affine, size: tuple[int, int]) -> Affine:
    """Frame pixels → 0..1 of a crop."""
    return to_crop / np.array(size, np.float64)[:, None]
