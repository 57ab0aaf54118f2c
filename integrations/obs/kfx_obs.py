"""Shows kfx in OBS Studio and works its buttons: Tools, Scripts, +, this file.

Python standard library only, since OBS runs the Python it was told of and not kfx's own. The
picture comes through shared memory where this OBS is one whose frames this script knows (28 to
32), otherwise, and where the memory can't be seen (a sandbox), as MJPEG through a Media Source.

The file is not called kfx.py: OBS imports a script by its bare name, and where its Python has kfx
installed it would get that package instead, without a word.
"""

import contextlib
import ctypes
import http.client
import json
import mmap
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import obspython as obs

# Major versions whose struct obs_source_frame is the one below: it is the same in the headers of
# 28.0, 29.0, 30.0, 31.0, 32.0 and 32.2. Tried with 29.0.2 on Linux.
KNOWN_OBS = range(28, 33)
RGBA = 6  # enum video_format, the same in all of them
HOLD_S = 2.0  # the last picture stays this long when kfx is gone, then the source is empty
RETRY_S = 0.5
END_S = 20.0  # for a clean end of kfx
LIST_S = 3.0  # that OBS's page waits for the names of the presets
SILENT_S = 5.0  # kfx says something every second; after this long it is stuck or gone
MEDIA = "ffmpeg_source"  # scripts in Python can't define a source; this one takes our pictures
HOTKEYS = {
    "panic": ("kfx: panic (the clean plate) on/off", "clean"),
    "freeze": ("kfx: freeze on/off", "freeze"),
    "black": ("kfx: black on/off", "black"),
    "bypass": ("kfx: bypass on/off", "bypass"),
    "live": ("kfx: back to the effects", "live"),
}


class Frame(ctypes.Structure):
    """struct obs_source_frame of libobs 28 to 32, with room behind it."""

    _fields_ = (
        ("data", ctypes.c_void_p * 8),
        ("linesize", ctypes.c_uint32 * 8),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint64),
        ("format", ctypes.c_int),
        ("color_matrix", ctypes.c_float * 16),
        ("full_range", ctypes.c_bool),
        ("max_luminance", ctypes.c_uint16),
        ("color_range_min", ctypes.c_float * 3),
        ("color_range_max", ctypes.c_float * 3),
        ("flip", ctypes.c_bool),
        ("flags", ctypes.c_uint8),
        ("trc", ctypes.c_uint8),
        ("refs", ctypes.c_long),
        ("prev_frame", ctypes.c_bool),
        ("room", ctypes.c_uint8 * 64),
    )


def load_libobs():
    """libobs of the running OBS; None where it can't be had or isn't one we know."""
    try:
        lib = ctypes.CDLL("obs.dll" if sys.platform == "win32" else None)
        lib.obs_get_version.restype = ctypes.c_uint32
        if lib.obs_get_version() >> 24 not in KNOWN_OBS:
            return None
        lib.obs_get_source_by_name.restype = ctypes.c_void_p
        lib.obs_get_source_by_name.argtypes = [ctypes.c_char_p]
        lib.obs_source_release.argtypes = [ctypes.c_void_p]
        lib.obs_source_removed.argtypes = [ctypes.c_void_p]
        lib.obs_source_removed.restype = ctypes.c_bool
        lib.obs_source_output_video.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        lib.obs_source_output_video.restype = None
        lib.os_gettime_ns.restype = ctypes.c_uint64
        return lib
    except (OSError, AttributeError):
        return None


LIBOBS = load_libobs()


class Settings:
    """What the user has set, as plain values."""

    port = 8766
    source = "kfx"
    command = "kfx"
    input = "camera:0"
    preset = "supernova"
    more = ""
    create = True


class State:
    """What runs at the moment."""

    settings = Settings()
    feed = None
    kfx = None
    listing = None
    log = None
    hotkeys = None
    loaded = False
    said = None


# Talking to kfx ---------------------------------------------------------------------------------


def ask(method, path, timeout=1.0):
    """(status, JSON) of kfx's answer; (0, None) where nobody answers."""
    link = http.client.HTTPConnection("127.0.0.1", State.settings.port, timeout=timeout)
    try:
        link.request(method, path)
        answer = link.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return 0, None
    finally:
        link.close()


def in_background(work, *arguments):
    """OBS's window never waits for kfx."""
    threading.Thread(target=work, args=arguments, name="kfx-ask", daemon=True).start()


def set_mode(mode, toggle=False):
    if toggle:
        status, state = ask("GET", "/state")
        if status == 200 and state["mode"] == mode:
            mode = "live"
    status, _ = ask("POST", "/mode?set=" + mode)
    if status != 200:
        say("kfx isn't there: nothing to set to " + mode)


def set_preset(name):
    """Change it in the running show, or by a new start of a kfx that we have started."""
    known = ask("GET", "/presets")[1]
    if known is None or (name not in known and not os.path.isfile(name)):
        return  # nobody there, or half a name: this is called for every letter typed
    status, _ = ask("POST", "/preset?name=" + urllib.parse.quote(name))
    if status == 200:
        return
    if running():
        stop_kfx()
        start_kfx()
    elif status:
        say("this kfx was started elsewhere and takes its preset there")


def say(text):
    """Once, until something else is said: the log is read afterwards."""
    if State.said != text:
        State.said = text
        obs.script_log(obs.LOG_INFO, text)


# kfx as a child of OBS --------------------------------------------------------------------------


def running():
    return State.kfx is not None and State.kfx.poll() is None


def start_kfx():
    if running():
        return
    mine = State.settings
    if ask("GET", "/state")[0] == 200:
        say("kfx is running already, started elsewhere")  # or by an OBS that has crashed
        return
    words = [*shlex.split(mine.command, posix=os.name != "nt"), "live", "-i", mine.input]
    words += ["-p", mine.preset, "-o", f"obs:{mine.port}", *shlex.split(mine.more)]
    if State.log is None:
        State.log = tempfile.TemporaryFile(prefix="kfx-obs-")  # noqa: SIM115 - until OBS ends
    State.log.seek(0)
    State.log.truncate()
    try:
        State.kfx = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=State.log,
            stderr=State.log,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        say(f"{words[0]}: can't be started ({error}); set the kfx command to its full path")


def preset_names():
    """Of the running kfx, otherwise of the one that would be started, otherwise what is set."""
    names = ask("GET", "/presets", timeout=0.3)[1]
    if not names:
        command, last = State.settings.command, State.listing
        if last is None or last.command != command or not last.is_alive():
            known = last.names if last is not None and last.command == command else []
            State.listing = last = Listing(command, known)
            last.start()
        last.join(LIST_S)
        names = last.names
    return names or [State.settings.preset]


class Listing(threading.Thread):
    """Asks a kfx that doesn't run for its presets, however long it takes to start.

    OBS waits `LIST_S` for its page at most; what comes later is there the next time.
    """

    def __init__(self, command, known):
        super().__init__(name="kfx-listing", daemon=True)
        self.command = command
        self.names = known
        self.child = None
        self.over = False

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            words = [*shlex.split(self.command, posix=os.name != "nt"), "list", "presets"]
            self.child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            if self.over:
                self.child.kill()
            told = self.child.communicate()[0].decode("utf-8", "replace")
            if self.child.returncode == 0:
                self.names = [line.split()[0] for line in told.splitlines() if line.strip()]

    def stop(self):
        self.over = True
        if self.child is not None:
            self.child.kill()
        self.join()


def stop_kfx():
    """A clean end: kfx closes its recordings. It has `END_S`."""
    child, State.kfx = State.kfx, None
    if child is None or child.poll() is not None:
        return
    child.terminate() if os.name == "nt" else child.send_signal(signal.SIGTERM)
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def look_after_kfx():
    """A timer: a kfx that has ended by a fault says why in OBS's log."""
    child = State.kfx
    if child is None or child.poll() is None:
        return
    State.kfx = None
    if child.returncode:
        State.log.seek(0)
        last = State.log.read()[-2000:].decode("utf-8", "replace").strip()
        obs.script_log(obs.LOG_WARNING, f"kfx has ended with {child.returncode}:\n{last}")


# Pictures ---------------------------------------------------------------------------------------


class Feed(threading.Thread):
    """Hands each picture of the ring to the OBS source, newest first, until `stop`."""

    def __init__(self, port, source_name):
        super().__init__(name="kfx-feed", daemon=True)
        self.port = port
        self.source_name = source_name.encode()
        self.source = None
        self.ended = threading.Event()
        self.link = None
        self.shown = 0
        self.torn = 0
        self.fallback = False
        self.lost_at = None

    def stop(self):
        self.ended.set()
        link = self.link
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self.join(SILENT_S + 1)

    def run(self):
        while not self.ended.is_set():
            with contextlib.suppress(OSError, ValueError, KeyError):  # gone, or not there yet
                self.read_frames()
            if self.lost_at is None:
                self.lost_at = time.monotonic()
            if time.monotonic() - self.lost_at > HOLD_S:
                self.show(None)
            self.ended.wait(RETRY_S)
        self.show(None)
        self.let_go()

    def read_frames(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=SILENT_S) as link:
            self.link = link
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.sendall(f"GET /frames HTTP/1.0\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            lines = link.makefile("rb", buffering=1 << 16)
            if b" 200 " not in lines.readline():
                raise OSError("not kfx")
            while lines.readline().strip():
                pass
            layout = json.loads(lines.readline())
            with self.mapped(layout) as memory:
                base = (ctypes.c_char * len(memory)).from_buffer(memory)
                try:
                    self.pump(lines, layout, memory, ctypes.addressof(base))
                finally:
                    del base

    def mapped(self, layout):
        total = layout["slots"] * layout["slot_bytes"]
        try:
            if sys.platform == "win32":
                return mmap.mmap(-1, total, tagname=layout["ring"])
            with open(layout["ring"], "r+b") as file:
                return mmap.mmap(file.fileno(), total)
        except OSError:
            self.fallback = True  # a sandbox: the timer turns the source into a Media Source
            self.ended.set()
            raise

    def pump(self, lines, layout, memory, address):
        width, height = layout["width"], layout["height"]
        frame = Frame(width=width, height=height, format=RGBA, full_range=True)
        frame.linesize[0] = width * 4
        while not self.ended.is_set():
            line = lines.readline()
            if not line.endswith(b"\n"):
                raise OSError("kfx has ended")
            self.lost_at = None
            number, slot = map(int, line.split())
            at = slot * layout["slot_bytes"]
            if number == 0 or struct.unpack_from("<Q", memory, at)[0] != number:
                continue  # a newer one has taken its place: its line follows
            frame.data[0] = address + at + layout["header"]
            frame.timestamp = LIBOBS.os_gettime_ns()
            self.show(frame)
            self.shown += 1
            if struct.unpack_from("<Q", memory, at)[0] != number:
                self.torn += 1

    def show(self, frame):
        """OBS copies the picture before this returns. None empties the source."""
        if self.source is not None and LIBOBS.obs_source_removed(self.source):
            self.let_go()
        if self.source is None:
            self.source = LIBOBS.obs_get_source_by_name(self.source_name)
        if self.source is not None:
            at = None if frame is None else ctypes.addressof(frame)
            LIBOBS.obs_source_output_video(self.source, at)

    def let_go(self):
        source, self.source = self.source, None
        if source is not None:
            LIBOBS.obs_source_release(source)


def start_feed():
    stop_feed()
    if LIBOBS is not None:
        State.feed = Feed(State.settings.port, State.settings.source)
        State.feed.start()


def stop_feed():
    feed, State.feed = State.feed, None
    if feed is not None:
        feed.stop()
        if feed.shown:
            say(f"{feed.shown} pictures shown, {feed.torn} of them torn")


def look_after_feed():
    """A timer: a ring that can't be mapped is given up for MJPEG."""
    if State.feed is not None and State.feed.fallback:
        stop_feed()
        say("kfx's shared memory can't be seen from this OBS: MJPEG instead, without alpha")
        shape_source(shared=False)


# The source -------------------------------------------------------------------------------------


def media_settings(shared):
    """Of the Media Source: empty where we hand it pictures, else what makes MJPEG quick."""
    wanted = obs.obs_data_create()
    url = "" if shared else f"http://127.0.0.1:{State.settings.port}/stream"
    obs.obs_data_set_bool(wanted, "is_local_file", False)
    obs.obs_data_set_string(wanted, "input", url)
    obs.obs_data_set_string(wanted, "input_format", "" if shared else "mpjpeg")
    # MJPEG carries no times: without the wall clock OBS plays it at 25 a second, ever later.
    options = "" if shared else "use_wallclock_as_timestamps=1 fflags=nobuffer"
    obs.obs_data_set_string(wanted, "ffmpeg_options", options)
    obs.obs_data_set_int(wanted, "buffering_mb", 0)
    obs.obs_data_set_int(wanted, "reconnect_delay_sec", 1)
    obs.obs_data_set_bool(wanted, "close_when_inactive", False)
    obs.obs_data_set_bool(wanted, "clear_on_media_end", not shared)
    return wanted


def shape_source(shared):
    """Give the source, if it is there, the settings of the road that is used."""
    source = obs.obs_get_source_by_name(State.settings.source)
    if source is None:
        return
    wanted = media_settings(shared)
    obs.obs_source_update(source, wanted)
    obs.obs_data_release(wanted)
    obs.obs_source_set_async_unbuffered(source, True)  # 84-109 ms without, 19-31 ms with
    obs.obs_source_set_async_decoupled(source, True)
    obs.obs_source_release(source)


def create_source():
    """Put the source into the current scene, unless it is there already."""
    mine = State.settings
    scene_source = obs.obs_frontend_get_current_scene()
    if scene_source is None:
        return
    scene = obs.obs_scene_from_source(scene_source)
    source = obs.obs_get_source_by_name(mine.source)
    if source is None:
        wanted = media_settings(LIBOBS is not None)
        source = obs.obs_source_create(MEDIA, mine.source, wanted, None)
        obs.obs_data_release(wanted)
    if obs.obs_scene_find_source(scene, mine.source) is None:
        obs.obs_scene_add(scene, source)
    obs.obs_source_release(source)
    obs.obs_source_release(scene_source)
    shape_source(LIBOBS is not None)


def there_is_a_source():
    source = obs.obs_get_source_by_name(State.settings.source)
    obs.obs_source_release(source)
    return source is not None


def scenes_are_there(event):
    if event in (
        obs.OBS_FRONTEND_EVENT_FINISHED_LOADING,
        obs.OBS_FRONTEND_EVENT_SCENE_COLLECTION_CHANGED,
    ):
        begin()
    elif event == getattr(obs, "OBS_FRONTEND_EVENT_SCENE_COLLECTION_CHANGING", -1):
        stop_feed()  # else our hold on the source keeps it alive in a collection that is going


def begin():
    State.loaded = True
    if State.settings.create and not there_is_a_source():
        create_source()
    shape_source(LIBOBS is not None)
    start_feed()


# What OBS calls ---------------------------------------------------------------------------------


def script_description():
    road = "shared memory, with alpha" if LIBOBS else "MJPEG, without alpha (OBS is not 28 to 32)"
    return (
        "<b>kfx</b>: facial motion effects on a live performer.<br>"
        f"The source takes its picture from <code>kfx live -o obs</code>: {road}.<br>"
        "Keys for panic, freeze, black and bypass are under Settings, Hotkeys."
    )


def script_defaults(settings):
    for name, value in vars(Settings).items():
        if isinstance(value, bool):
            obs.obs_data_set_default_bool(settings, name, value)
        elif isinstance(value, int):
            obs.obs_data_set_default_int(settings, name, value)
        elif isinstance(value, str) and not name.startswith("_"):
            obs.obs_data_set_default_string(settings, name, value)


def script_properties():
    page = obs.obs_properties_create()
    for name, text, work in BUTTONS:
        obs.obs_properties_add_button(page, name, text, work)
    presets = obs.obs_properties_add_list(
        page, "preset", "Preset", obs.OBS_COMBO_TYPE_EDITABLE, obs.OBS_COMBO_FORMAT_STRING
    )
    for name in preset_names():
        obs.obs_property_list_add_string(presets, name, name)
    line = obs.OBS_TEXT_DEFAULT
    obs.obs_properties_add_text(page, "input", "Input (camera:0, performer, a file)", line)
    obs.obs_properties_add_text(page, "more", "More of kfx live (--size 1280x720)", line)
    obs.obs_properties_add_text(page, "command", "kfx command", line)
    obs.obs_properties_add_text(page, "source", "Name of the source", line)
    obs.obs_properties_add_int(page, "port", "Port", 1, 65535, 1)
    obs.obs_properties_add_bool(page, "create", "Create the source where it is missing")
    return page


def script_update(settings):
    mine = Settings()
    before = State.settings
    mine.port = obs.obs_data_get_int(settings, "port")
    mine.create = obs.obs_data_get_bool(settings, "create")
    for name in ("source", "command", "input", "preset", "more"):
        setattr(mine, name, obs.obs_data_get_string(settings, name).strip())
    State.settings = mine
    if not State.loaded:
        return
    if mine.preset != before.preset and mine.preset:
        in_background(set_preset, mine.preset)
    if (mine.port, mine.source) != (before.port, before.source):
        shape_source(LIBOBS is not None)
        start_feed()


def pressed(work):
    """A property's callback; it returns whether the page is to be drawn anew."""

    def callback(page, button):
        work()
        return False

    return callback


BUTTONS = (
    ("start", "Start kfx", pressed(lambda: in_background(start_kfx))),
    ("stop", "Stop kfx", pressed(lambda: in_background(stop_kfx))),
    ("panic", "PANIC: the clean plate", pressed(lambda: in_background(set_mode, "clean"))),
    ("live", "Back to the effects", pressed(lambda: in_background(set_mode, "live"))),
    ("add", "Add the source to this scene", pressed(create_source)),
)


def key(mode, toggles):
    def callback(down):
        if down:
            in_background(set_mode, mode, toggles)

    return callback


def script_load(settings):
    State.hotkeys = {}
    for name, (text, mode) in HOTKEYS.items():
        number = obs.obs_hotkey_register_frontend("kfx_" + name, text, key(mode, mode != "live"))
        saved = obs.obs_data_get_array(settings, "hotkey_" + name)
        obs.obs_hotkey_load(number, saved)
        obs.obs_data_array_release(saved)
        State.hotkeys[name] = number
    obs.obs_frontend_add_event_callback(scenes_are_there)
    obs.timer_add(look_after_kfx, 1000)
    obs.timer_add(look_after_feed, 500)
    scene = obs.obs_frontend_get_current_scene()
    if scene is not None:  # loaded by hand, OBS is up: no event will come
        obs.obs_source_release(scene)
        begin()


def script_save(settings):
    for name, number in State.hotkeys.items():
        saved = obs.obs_hotkey_save(number)
        obs.obs_data_set_array(settings, "hotkey_" + name, saved)
        obs.obs_data_array_release(saved)


def script_unload():
    State.loaded = False
    stop_feed()
    listing, State.listing = State.listing, None
    if listing is not None:
        listing.stop()
    stop_kfx()
    log, State.log = State.log, None
    if log is not None:
        log.close()
