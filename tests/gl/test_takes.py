"""Takes of live shows: recorded beside the show, and rendered again to the bit."""

import json
import threading
from fractions import Fraction

import numpy as np
import pytest

from kfx import presets, sources, takes
from kfx.cli import main
from kfx.engine import live
from kfx.engine.desk.desk import Desk
from kfx.engine.loop import keeper, picture
from kfx.engine.loop.switches import Switches
from kfx.engine.song_ticks import heard
from kfx.engine.takes import look_log, retake
from kfx.engine.takes.repeat import Repeat
from kfx.engine.takes.take_recorder import TakeRecorder
from kfx.engine.ticks import Ticks
from kfx.render.isf_program import Program
from kfx.sync.grid import steady
from kfx.sync.song import SongClock
from kfx.takes import clock_log
from kfx.takes.faces import FaceTrack
from tests.isf_files import write
from tests.unit.test_sync_audio import wav

FRAMES = 12
SPEC = "performer?size=192x108&fps=24"


class Lockstep:
    """The performer, each frame given once the one before was sent: nothing is dropped."""

    def __init__(self, sent, count=FRAMES):
        self._source = sources.open(SPEC, stop_s=Fraction(count, 24))
        self.info = self._source.info
        self._sent = sent

    def frames(self):
        for frame in self._source.frames():
            yield frame
            assert self._sent.wait_for(frame.index)

    def close(self):
        self._source.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Collect:
    """Stands among the outputs, keeps every shot and acts on some frames."""

    failed = False

    def __init__(self, acts=()):
        self.shots = []
        self._acts = dict(acts)
        self._changed = threading.Condition()

    def put(self, shot):
        with self._changed:
            self.shots.append(shot)
            if not shot.filler:
                self._acts.pop(shot.tick.frame.index, lambda: None)()
            self._changed.notify_all()

    def start(self):
        pass

    finish = note_news = start

    def wait_for(self, index):
        """Whether the loop itself has sent that frame."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(s.tick.frame.index >= index for s in self.shots if not s.filler), 60.0
            )


@pytest.fixture
def run(monkeypatch, gl):
    """A live show of the performer in lockstep; returns its shots."""

    def run(preset, recorder=None, acts=(), count=FRAMES, **options):
        # However slow this machine is, nothing may be left out of the picture.
        monkeypatch.setattr(picture, "LEAST_BUDGET_S", 60.0)
        monkeypatch.setattr(keeper, "STUCK_S", 60.0)
        seen = Collect(acts)
        live.run(
            lambda: Lockstep(seen, count),
            presets.load(preset),
            ["null"],
            takes=recorder,
            also=[seen],
            **({"tracker": "truth"} | options),
        )
        return seen.shots

    return run


def again(folder, preset, out, **options):
    """The shots of a take rendered with another look, and its moments."""
    shots = []
    take = takes.load(folder)
    retake.render(take, presets.load(preset), str(out), on_shot=shots.append, **options)
    return shots, clock_log.load(take.file("clock"))


def drawn(shots):
    return {s.tick.frame.index: s.pixels for s in shots if s.drawn is not None}


def test_a_take_with_another_look_is_what_live_would_have_shown_to_the_bit(run, tmp_path):
    first = run("ballad_film", TakeRecorder(tmp_path, "A001"), tracker="mediapipe")
    assert len(drawn(first)) == FRAMES
    wanted = drawn(run("supernova", tracker="mediapipe"))
    shots, moments = again(tmp_path / "A001_T01", "supernova", tmp_path / "again.mov")
    assert len(shots) == len(moments)
    told = {m.tick["index"]: s.pixels for m, s in zip(moments, shots, strict=True) if m.drawn}
    assert told.keys() == wanted.keys()
    for index, pixels in wanted.items():
        assert np.array_equal(told[index], pixels), f"frame {index} differs"
        assert not np.array_equal(drawn(first)[index], pixels)


def test_what_the_operator_hid_is_hidden_again(run, tmp_path):
    switches = Switches()
    acts = {
        3: lambda: switches.set("black"),
        5: lambda: switches.set("freeze"),
        7: lambda: switches.set("clean"),
        9: lambda: switches.set("live"),
    }
    shots = run("supernova", TakeRecorder(tmp_path, "S12"), acts, switches=switches)
    told, moments = again(tmp_path / "S12_T01", "supernova", tmp_path / "again.mov")
    assert {m.mode for m in moments} >= {"live", "black", "clean", "freeze"}
    assert len(told) == len(shots)
    for one, other in zip(told, shots, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


def test_a_take_holds_everything_with_one_timecode(run, tmp_path):
    song = SongClock(steady(120.0))
    shots = run("ballad_film", TakeRecorder(tmp_path, "A001"), ticks=Ticks(song))
    take = takes.load(tmp_path / "A001_T01")
    assert {one["role"] for one in take.data["files"]} == {
        *("plate", "picture", "faces", "landmarks", "clock", "controls", "look"),
        *("preset", "preset_file"),
    }
    assert all(len(one["sha256"]) == 64 for one in take.data["files"])
    assert take.data["frames"] == len(shots)
    decal = take.data["effects"][0]
    assert (decal["id"], decal["dst_class"]) == ("decal_uv", "procedural")
    assert decal["on_ranges"] == [[1001, 1000 + len(shots)]]
    moments = clock_log.load(take.file("clock"))
    codes = [m.timecode for m in moments]
    rows = take.file("landmarks").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[2:]] == codes
    assert rows[2].split(",")[2:4] == ["1", "1.0000"]
    for role in ("plate", "picture"):
        with sources.open(str(take.file(role))) as source:
            frames = list(source.frames())
        assert frames[0].timecode == codes[0]
        at = [float(frame.time) for frame in frames]
        assert at == pytest.approx([m.time_s for m in moments], abs=1e-3)
        if role == "plate":
            for frame, shot in zip(frames, shots, strict=True):
                assert np.array_equal(frame.pixels, shot.tick.frame.pixels)
    track = FaceTrack(take.file("faces"))
    for moment, shot in zip(moments, shots, strict=True):
        (face,) = track.at(moment.shot)
        (live_face,) = (shot.drawn or shot.tick).faces
        assert np.array_equal(face.landmarks, live_face.landmarks)
        assert (face.iod, face.presence, face.age) == (
            *(live_face.iod, live_face.presence, live_face.age),
        )
        assert dict(face.blendshapes) == dict(live_face.blendshapes)


def test_a_show_plays_on_a_take(run, tmp_path):
    run("ballad_film", TakeRecorder(tmp_path, "A001"))
    show = tmp_path / "show.toml"
    show.write_text(
        "bpm = 120\nlength = 9\n[[cue]]\nat = 0.25\nblack = true\n[[cue]]\nat = 0.4\nlive = true\n"
    )
    shots, moments = again(tmp_path / "A001_T01", "none", tmp_path / "o.mov", show=str(show))
    pairs = zip(moments, shots, strict=True)
    black = {m.tick["index"] for m, s in pairs if not s.pixels[..., :3].any()}
    assert black == {6, 7, 8, 9}  # 0.25 s is frame 6; 0.4 s is nearest to frame 10


def test_a_take_without_another_look_has_its_own_again(run, tmp_path, capfd):
    look = tmp_path / "look.toml"
    look.write_text('version = 1\n[[chain]]\neffect = "film"\ngrain = 0.2\n')
    wanted = drawn(run(str(look), TakeRecorder(tmp_path, "A001")))
    look.unlink()  # it lies in the take
    take = tmp_path / "A001_T01"
    out = tmp_path / "o" / "%06d.png"
    out.parent.mkdir()
    assert main(["render", str(take), "-o", str(out)]) == 0
    assert "its look was changed" not in capfd.readouterr().err
    with sources.open(str(out)) as source:
        frames = [frame.pixels for frame in source.frames()]
    moments = clock_log.load(takes.load(take).file("clock"))
    told = {m.tick["index"]: p for m, p in zip(moments, frames, strict=True) if m.drawn}
    assert told.keys() == wanted.keys()
    for index, pixels in wanted.items():
        assert np.array_equal(told[index][..., :3], pixels[..., :3])


TRAIL = """/*{
  "INPUTS": [
    {"NAME": "inputImage", "TYPE": "image"},
    {"NAME": "keep", "TYPE": "float", "DEFAULT": 0.7, "MIN": 0.0, "MAX": 1.0},
    {"NAME": "hit", "TYPE": "event"}
  ],
  "PASSES": [{"TARGET": "past", "PERSISTENT": true, "FLOAT": true}, {}]
}*/
void main() {
    vec4 c = IMG_THIS_PIXEL(inputImage);
    vec4 old = texelFetch(past, ivec2(gl_FragCoord.xy), 0);
    gl_FragColor = mix(hit ? 1.0 - c : c, old, FRAMEINDEX == 0 ? 0.0 : keep);
}
"""
LOOKS = {
    "one": """
[[chain]]
effect = "expr_amp"
gain = 2.0
[[chain]]
effect = "film"
grain = { base = 0.05, "beat.decay" = 0.1, attack_ms = 40, release_ms = 300 }
[[chain]]
effect = "trail.fs"
mix = 0.8
""",
    "two": """
[[chain]]
effect = "trail.fs"
[[chain]]
effect = "flash"
[[chain]]
effect = "echo_trails" # mattes, which follow those before them
[[chain]]
effect = "deadpan_step"
""",
}


class Operated:
    """A look in a live show, and an operator who does things to it at certain frames."""

    def __init__(self, folder):
        self.looks = {}
        (folder / "trail.fs").write_text(TRAIL)
        for name, text in LOOKS.items():
            path = folder / f"{name}.toml"
            path.write_text("version = 1\n" + text)
            self.looks[name] = presets.load(str(path))

    def begin(self, look):
        self.desk = Desk(look, Switches())

    def acts(self, **at):
        def act(says):
            def done():
                for name, *args in says:
                    if name in self.looks:
                        self.desk.change(self.looks[name], *args)
                    elif name.startswith("/"):
                        self.desk.set(f"/kfx/v1{name}", *args)
                    else:
                        getattr(self.desk, name)(*args)

            return done

        return {int(frame[1:]): act(says) for frame, says in at.items()}


def repeated(folder, out):
    """Pixels by the tick's index of a take rendered again as it was, and its stats."""
    take, told = takes.load(folder), []
    log = look_log.load(take)
    stats = retake.render(
        take,
        presets.load("none"),
        str(out),
        repeat=Repeat(log),
        since=log.first.since,
        on_shot=told.append,
    )
    moments = clock_log.load(take.file("clock"))
    pairs = zip(moments, told, strict=True)
    return {m.tick["index"]: s.pixels for m, s in pairs if m.drawn}, stats


def same(found, wanted):
    assert found.keys() == wanted.keys()
    assert [n for n, pixels in wanted.items() if not np.array_equal(found[n], pixels)] == []


def test_a_take_again_is_what_live_showed_to_the_bit_with_all_that_was_done(run, tmp_path):
    """Knobs, bypass, solo, undo, fades of knobs and of pictures, looks that wait, mattes."""
    show = Operated(tmp_path)
    acts = show.acts(
        f2=[("/film/grain", 0.2), ("/film/halation", 0.9)],
        f3=[("bypass", 2)],
        f4=[("undo",), ("solo", 1)],
        f6=[("solo", 1), ("store", "A")],
        f7=[("two", 0.4)],  # by pictures
        f19=[("/chain/0/trail/mix", 0.3), ("/trail/hit", 1), ("one", 0.0)],  # waits for its end
        f32=[("/expr_amp/gain", 0.5)],
        f33=[("recall", "A", 0.2)],  # by knobs
        f36=[("bypass", 0), ("/film/grain", 0.01)],
        f40=[("move", 2, 0)],
        f41=[("/film/mix", 0.0)],  # of a look that is still to come
    )
    look = show.looks["one"].path
    shots = run(look, TakeRecorder(tmp_path, "A001"), acts, 50, on_look=show.begin)
    take = takes.load(tmp_path / "A001_T01")
    assert len(take.data["preset"]["changed"]) >= 8
    log = take.file("look").read_text()
    assert '"anew":true' in log
    assert '"anew":false' in log
    found, stats = repeated(take.folder, tmp_path / "o.mov")
    assert stats.warnings == []
    same(found, drawn(shots))


def test_what_failed_live_is_left_out_again(run, tmp_path, monkeypatch, capfd):
    """An effect that fails is left out of that picture, then for a while."""
    show, draw = Operated(tmp_path), Program.draw
    failing = threading.Event()

    def fails(self, *args):
        if failing.is_set() and self.shader.name == "trail":
            raise RuntimeError("a driver's day off")
        return draw(self, *args)

    monkeypatch.setattr(Program, "draw", fails)
    acts = {2: failing.set, 4: failing.clear, 6: failing.set}  # the second time it pauses
    shots = run(
        show.looks["one"].path,
        TakeRecorder(tmp_path, "A001"),
        acts,
        16,
        on_look=lambda look: None,
    )
    monkeypatch.undo()
    found, _ = repeated(tmp_path / "A001_T01", tmp_path / "o.mov")
    same(found, drawn(shots))
    args = ["render", str(tmp_path / "A001_T01"), "-o", str(tmp_path / "o.mp4")]
    assert main(args) == 0
    assert "live gave up: left out: chain[2] (trail) (frames 10" in capfd.readouterr().err


def test_a_take_that_began_while_the_show_ran_counts_its_frames_on(run, tmp_path, capfd):
    """Grain comes of the number of the frame since the show began."""
    recorder = TakeRecorder(tmp_path, "A001", rolls=False)
    shots = run("ballad_film", recorder, {4: recorder.roll}, on_look=lambda look: None)
    wanted = {n: pixels for n, pixels in drawn(shots).items() if n > 4}
    found, _ = repeated(tmp_path / "A001_T01", tmp_path / "o.mov")
    same(found, wanted)
    args = ["render", str(tmp_path / "A001_T01"), "-o", str(tmp_path / "o.mp4")]
    assert main([*args, "--set", "film.grain=0.2"]) == 0
    assert main([*args, "--force", "--set", "nothing.grain=0.2"]) == 2
    assert main([*args, "--force", "-p", "ballad_film"]) == 0
    assert "began while" not in capfd.readouterr().err  # nothing in it remembers


def test_kfx_render_takes_a_take(run, tmp_path, capsys):
    run("ballad_film", TakeRecorder(tmp_path, "A001"))
    take = tmp_path / "A001_T01"
    assert main(["render", str(take), "-p", "none", "-o", str(tmp_path / "o.mp4")]) == 0
    assert "frames 192x108 at 24/1" in capsys.readouterr().out
    assert (
        main(["render", str(take), "-p", "none", "-o", str(tmp_path / "o.mp4"), "--to", "1"]) == 2
    )
    assert main(["take", "list", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["preset"] == "ballad_film"


def test_a_shader_that_draws_sound_hears_a_takes_song_again(run, tmp_path, capfd):
    at = np.arange(4 * 48000) / 48000
    song = str(wav(tmp_path / "song.wav", 0.5 * np.sin(2 * np.pi * (200 + 400 * at) * at)))
    body = "void main() { gl_FragColor = vec4(vec3(IMG_THIS_PIXEL(bars).r), 1.0); }"
    look = str(write(tmp_path, body, {"NAME": "bars", "TYPE": "audioFFT", "MAX": 64}))
    music = heard(song)
    ticks = Ticks(120.0, lead_s=1.5, hear_song=music.signals, sound=music.sound)
    wanted = drawn(run(look, TakeRecorder(tmp_path, "A001"), ticks=ticks))
    assert all(pixels[..., 0].max() > 150 for pixels in wanted.values())
    take = str(tmp_path / "A001_T01")
    shots, moments = again(take, look, tmp_path / "again.mov", song=song)
    pairs = zip(moments, shots, strict=True)
    same({m.tick["index"]: s.pixels for m, s in pairs if m.drawn}, wanted)
    capfd.readouterr()
    assert main(["render", take, "-o", "null", "-p", look]) == 0
    assert "name the song by --song" in capfd.readouterr().err
    assert main(["render", take, "-o", "null", "-p", look, "--song", song]) == 0
    assert "--song" not in capfd.readouterr().err
