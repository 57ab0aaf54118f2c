"""The label's own tempo map: a MIDI file, or a list of beats, becomes a grid without guessing."""

from __future__ import annotations

from pathlib import Path

from kfx.errors import KfxError
from kfx.sync.grid import Grid, from_dict

MOST_BEATS = 20_000
LONGEST_S = 3600.0


def read(path: str | Path, *, offset_s: float = 0.0, length_s: float | None = None) -> Grid:
    """The grid in ``.mid`` (tempo and time signatures) or a text of beats.

    A text has a beat a line: its second and, optionally, its number in the bar (1 is a downbeat),
    as beat annotations and Audacity's labels do. `offset_s` is where the map starts in the song,
    `length_s` how far a MIDI file's last tempo is written out. Raises `KfxError`.
    """
    place = Path(path)
    reader = _midi if place.suffix.lower() in (".mid", ".midi") else _text
    try:
        beats, downbeats = reader(place, length_s)
        if len(beats) < 2:
            raise KfxError("holds fewer than two beats")
        data = {
            "beats": [one + offset_s for one in beats],
            "downbeats": [one + offset_s for one in downbeats],
            "source": f"tempo map {place.name}",
        }
        return from_dict(data)
    except OSError as error:
        raise KfxError(f"{path}: can't be read ({error.strerror or error})") from None
    except KfxError as error:
        raise KfxError(f"{path}: {error}") from None


def _text(path: Path, length_s: float | None) -> tuple[list[float], list[float]]:
    beats, downbeats = [], []
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            beats.append(float(words[0]))
        except ValueError:
            raise KfxError(f"line {number}: {words[0][:20]!r} is no time in seconds") from None
        if words[-1] in ("1", "1.0") and len(words) > 1:
            downbeats.append(beats[-1])
        if len(beats) > MOST_BEATS:
            raise KfxError(f"holds more than {MOST_BEATS} beats")
    return beats, downbeats


def _midi(path: Path, length_s: float | None) -> tuple[list[float], list[float]]:
    """Beats of a MIDI file: its tempo meta messages walked beat by beat."""
    import mido

    try:
        song = mido.MidiFile(str(path))
        messages = list(mido.merge_tracks(song.tracks))
        per_beat = int(song.ticks_per_beat)
    except OSError:
        raise
    except Exception as error:  # mido lets out whatever its parser met
        raise KfxError(f"is no MIDI file ({str(error)[:60] or type(error).__name__})") from None
    if per_beat <= 0:
        raise KfxError("counts in SMPTE frames; save it with ticks per beat")
    changes, signatures, tick = [(0, 500_000)], [(0, 4, 4)], 0
    for message in messages:
        tick += message.time
        if message.type == "set_tempo" and message.tempo > 0:
            changes.append((tick, message.tempo))
        elif message.type == "time_signature":
            signatures.append((tick, message.numerator, message.denominator))
    return _walk(changes, signatures, per_beat, tick, length_s)


def _walk(
    changes: list[tuple[int, int]],
    signatures: list[tuple[int, int, int]],
    per_beat: int,
    last_tick: int,
    length_s: float | None,
) -> tuple[list[float], list[float]]:
    beats: list[float] = []
    downbeats: list[float] = []
    time = at = 0.0
    change = bar = 0
    tempo = changes[0][1]
    signature = signatures[0]
    while len(beats) < MOST_BEATS and time < LONGEST_S:
        if at >= last_tick and time >= (length_s or 0.0) and len(beats) > 1:
            break
        for one in signatures:
            if signature[0] < one[0] <= at or one[0] == at == 0:
                signature, bar = one, len(beats)
        beats.append(time)
        if (len(beats) - 1 - bar) % signature[1] == 0:
            downbeats.append(time)
        goal = at + per_beat * 4 / signature[2]
        while at < goal:  # tempo may change within a beat
            while change + 1 < len(changes) and changes[change + 1][0] <= at:
                change += 1
                tempo = changes[change][1]
            stop = min(goal, changes[change + 1][0] if change + 1 < len(changes) else goal)
            time += (stop - at) / per_beat * tempo / 1e6
            at = stop
    return beats, downbeats
