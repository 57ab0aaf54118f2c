"""The panel's page in a real browser: what is touched changes the picture, in every open page."""

import base64
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from kfx import presets
from kfx.engine.desk.live_show import LiveShow
from kfx.engine.desk.tree import Parameter
from kfx.panel import door
from kfx.panel.server import Panel
from kfx.presets import packing
from tests.panel.shows import GRAIN, Rolling, rolling
from tests.panel.test_server import _as_if_from_the_lan
from tests.waiting import LONG_S
from tests.waiting import until as eventually

LIGHT = """() => {
  const canvas = document.querySelector('#picture');
  const context = canvas.getContext('2d');
  return context.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data[0];
}"""

# WCAG 2.2: a name for all that can be used, 4.5:1 for text (3:1 where it is large).
CHECKS = r"""() => {
  const faults = [];
  const seen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (one) => {
    const by = one.getAttribute('aria-labelledby');
    const label = one.labels && one.labels[0];
    return (one.getAttribute('aria-label') || (by && document.getElementById(by)?.textContent)
      || (label && label.textContent) || one.textContent || one.title || '').trim();
  };
  const useful = 'button, input, select, [role=slider], [role=tab], [role=switch], [role=img]';
  for (const one of document.querySelectorAll(useful)) {
    if (seen(one) && !name(one)) faults.push('no name: ' + one.outerHTML.slice(0, 120));
  }
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const over = (top, under) => {
    const a = top[3] === undefined ? 1 : top[3];
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
    }
    return layers.reverse().reduce((under, top) => over(top, under), [0, 0, 0]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const done = new Set();
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || done.has(one) || !seen(one)) continue;
    done.add(one);
    if (one.closest(':disabled, noscript, option, script')) continue;
    let alpha = 1;
    for (let at = one; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    const style = getComputedStyle(one);
    const grounds = [ground(one)];
    // A bar's label lies over its fill, as far as that reaches.
    const fill = one.closest('.bar')?.querySelector('.fill');
    if (fill) grounds.push(parse(getComputedStyle(fill).backgroundColor));
    for (const under of grounds) {
      const top = parse(style.color);
      const own = (top[3] === undefined ? 1 : top[3]) * alpha;
      const a = light(over([...top.slice(0, 3), own], under));
      const b = light(under);
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (contrast < (large ? 3 : 4.5)) {
        const what = one.className + ' ' + one.textContent.slice(0, 40);
        faults.push(contrast.toFixed(2) + ': ' + what);
      }
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window');
  for (const one of document.querySelectorAll('#head, #switches button, #tools button, .link')) {
    if (!seen(one)) continue;
    const box = one.getBoundingClientRect();
    if (box.right > innerWidth + 0.5 || box.left < -0.5) faults.push('cut off: ' + one.className);
    if (one.matches('#switches button') && one.scrollWidth > one.clientWidth + 1) {
      faults.push('text cut off: ' + one.textContent);
    }
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium on this machine")
    api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    with api.sync_playwright() as play:
        made = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def show(tmp_path):
    with rolling(tmp_path) as running:
        yield running


@pytest.fixture
def open_page(browser):
    """Opens a page of a panel; what goes wrong in it fails the test."""
    faults, contexts = [], []

    def opened(panel, size=(1100, 760), locale="en-US", ready=".link"):
        contexts.append(
            browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(1000 * LONG_S)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(panel.url)
        page.wait_for_selector(ready)
        return page

    yield opened
    for one in contexts:
        one.close()
    assert not faults


def light_becomes(page, low, high):
    page.wait_for_function(f"() => {{ const x = ({LIGHT})(); return x >= {low} && x <= {high}; }}")


def bar(page, address=GRAIN):
    return page.locator(f'[data-address="{address}"] [role=slider]')


def drag(page, locator, part, steps=4):
    box = locator.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (0.25 + part), y, steps=steps)


def test_dragging_a_knob_changes_the_picture_in_every_page(show, open_page):
    panel, desk, _ = show
    one, other = open_page(panel), open_page(panel)
    light_becomes(one, 55, 85)  # 0.05 of 0.2
    drag(one, bar(one), 0.5)
    light_becomes(one, 160, 180)
    one.mouse.up()
    assert desk.get(GRAIN) == pytest.approx(0.15, abs=0.003)
    light_becomes(other, 160, 180)
    value = other.locator(f'[data-address="{GRAIN}"]')
    value.locator(".read", has_text="0.15").wait_for()
    assert value.get_attribute("data-by").startswith("panel ")
    # Fine with shift: a tenth of the way.
    one.keyboard.down("Shift")
    drag(one, bar(one), 0.5)
    one.mouse.up()
    one.keyboard.up("Shift")
    eventually(lambda: desk.get(GRAIN) == pytest.approx(0.16, abs=0.003))
    # As it comes with a double click.
    bar(one).dblclick()
    default = desk.parameter(GRAIN).default
    eventually(lambda: desk.get(GRAIN) == pytest.approx(default))


def test_keys_and_typing(show, open_page):
    panel, desk, switches = show
    page = open_page(panel)
    bar(page).focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: desk.get(GRAIN) == pytest.approx(0.052))
    page.keyboard.type("0.1")
    page.keyboard.press("Enter")
    eventually(lambda: desk.get(GRAIN) == pytest.approx(0.1))
    for key, shown in (
        ("p", "clean"),
        ("l", "live"),
        ("k", "black"),
        ("k", "live"),
        ("f", "freeze"),
    ):
        page.keyboard.press(key)
        eventually(lambda shown=shown: switches.shown == shown)
        page.wait_for_selector(f"body[data-mode={shown}]")
    page.click("#panic")
    eventually(lambda: switches.shown == "clean")
    # Comparing is this page's own matter: the plate is black.
    page.keyboard.press("l")
    light_becomes(page, 100, 140)
    page.keyboard.down(" ")
    light_becomes(page, 0, 8)
    page.keyboard.up(" ")
    light_becomes(page, 100, 140)
    assert not switches.hold


def test_the_plate_is_compared_and_faces_are_named(show, open_page):
    panel, desk, _ = show
    desk._edits._look.names = {0: "lead"}
    page = open_page(panel)
    light_becomes(page, 55, 85)
    side = """(part) => { const one = document.querySelector('#picture');
      return one.getContext('2d').getImageData(one.width * part, one.height / 2, 1, 1).data[0]; }"""
    for key in "ws":
        page.keyboard.press(key)
        page.wait_for_function(f"() => ({side})(0.25) < 8")
        assert 55 <= page.evaluate(side, 0.75) <= 85
        if key == "w":
            page.locator("#wipe").focus()
            wipe = page.locator("#wipe").bounding_box()
            page.mouse.move(wipe["x"] + 12, wipe["y"] + 40)
            page.mouse.down()
            page.mouse.move(wipe["x"] - 400, wipe["y"] + 40, steps=4)
            page.mouse.up()
            page.wait_for_function(f"() => ({side})(0.25) > 50")
    page.keyboard.press("s")
    light_becomes(page, 55, 85)
    written = page.evaluate(
        """() => new Promise((done) => {
          const draw = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            done(text);
            draw.call(this, text, ...rest);
          };
          const buttons = [...document.querySelectorAll('#tools button')];
          buttons.find((one) => one.textContent === 'Faces').click();
        })"""
    )
    assert written == "0 lead"


def test_eight_looks_are_chosen_and_large(show, open_page):
    panel, desk, _ = show
    page, other = open_page(panel), open_page(panel, (1024, 768))
    page.get_by_role("button", name="One of the eight within reach: sn_metal", exact=True).click()
    other.locator(".look[data-preset=sn_metal] kbd", has_text="1").wait_for()
    other.get_by_role("button", name="Eight", exact=True).click()
    tiles = other.locator("#presets.large .look")
    assert tiles.count() == 8
    assert all(tiles.nth(i).bounding_box()["height"] > 60 for i in range(8))
    assert other.evaluate(CHECKS) == []
    other.keyboard.press("1")
    eventually(lambda: desk.preset.name == "sn_metal")
    tiles.nth(1).click()
    eventually(lambda: desk.preset.name == tiles.nth(1).get_attribute("data-preset"))


def test_a_pack_that_is_dropped_becomes_a_look(show, open_page, tmp_path):
    panel, desk, _ = show
    packing.pack(presets.load("ballad_film"), tmp_path / "soft.zip")
    data = base64.b64encode((tmp_path / "soft.zip").read_bytes()).decode()
    page = open_page(panel)
    drop = """([data, name]) => {
      const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true }));
    }"""
    page.evaluate(drop, [data, "soft.zip"])
    page.locator("#news", has_text="soft: added").wait_for()
    page.click(".look[data-preset=soft]")
    eventually(lambda: desk.preset.path.endswith("ballad_film.toml"))
    page.evaluate(drop, ["AAAA", "broken.zip"])
    page.locator("#news.bad", has_text="broken").wait_for()


def test_takes_are_rolled_circled_noted_and_cut(show, open_page):
    panel, desk, _ = show
    done = []
    for name in ("roll", "cut", "circle"):
        desk.register(
            Parameter(f"/kfx/v1/take/{name}", "event"), lambda _, name=name: done.append(name)
        )
    desk.register(Parameter("/kfx/v1/take/note", "text", ""), done.append)
    desk.register(Parameter("/kfx/v1/take/slate", "text", "A001"), done.append)
    desk.register(Parameter("/kfx/v1/take/name", "text", ""))
    page = open_page(panel)
    page.click("#tabs [data-tab=show]")
    page.locator(".take-name", has_text="no take yet").wait_for()
    page.locator("#takes .roll").click()
    eventually(lambda: done == ["roll"])
    desk.tell("/kfx/v1/take/name", "A001_T01")
    page.locator(".take-name.rolling", has_text="A001_T01 · 0:0").wait_for()
    page.locator("#takes .star").click()
    page.locator(".take-name", has_text="★").wait_for()
    page.get_by_label("Note").fill("eyes closed")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cut").click()
    eventually(lambda: done == ["roll", "circle", "eyes closed", "cut"])
    desk.tell("/kfx/v1/take/name", "")
    page.locator(".take-name:not(.rolling)", has_text="A001_T01 ★ · cut").wait_for()
    assert page.evaluate(CHECKS) == []


def test_effects_are_added_reordered_bypassed_and_removed(show, open_page):
    panel, desk, _ = show
    page = open_page(panel)

    def chain():
        return [link.effect.name for link in desk.preset.chain]

    grip, last = (
        page.locator(".grip").first.bounding_box(),
        page.locator(".link").last.bounding_box(),
    )
    page.mouse.move(grip["x"] + 5, grip["y"] + 8)
    page.mouse.down()
    page.mouse.move(grip["x"] + 5, last["y"] + last["height"] - 4, steps=4)
    page.mouse.up()
    eventually(lambda: chain() == ["film", "flash", "deadpan_step"])
    page.locator(".link[data-place='0'] .name", has_text="film").wait_for()
    page.locator(".grip").nth(2).focus()
    page.keyboard.press("ArrowUp")
    eventually(lambda: chain() == ["film", "deadpan_step", "flash"])
    page.keyboard.press("/")
    page.keyboard.type("blooM")
    page.keyboard.press("Enter")
    eventually(lambda: chain() == ["film", "deadpan_step", "flash", "bloom"])
    page.locator(".link[data-place='3'] [aria-label^='Remove']").click()
    eventually(lambda: chain() == ["film", "deadpan_step", "flash"])
    page.keyboard.press("Control+z")
    eventually(lambda: chain() == ["film", "deadpan_step", "flash", "bloom"])
    page.keyboard.press("Control+y")
    eventually(lambda: chain() == ["film", "deadpan_step", "flash"])
    page.locator(".link[data-place='0'] [aria-label^='Bypass']").click()
    eventually(lambda: desk.get("/kfx/v1/chain/0/film/bypass") is True)
    page.locator(".link.off[data-place='0']").wait_for()


def test_chips_say_whom_an_effect_draws(show, open_page):
    panel, desk, _ = show
    page = open_page(panel)

    def slots():
        return desk.preset.chain[0].slots

    whom = page.locator(".link[data-place='0'] .whom")
    whom.click()
    for chip, there in (("Face 2", (2,)), ("Face lead", (2, "lead")), ("Face 2", ("lead",))):
        page.get_by_role("button", name=f"{chip}: deadpan_step").click()
        eventually(lambda there=there: slots() == there)
    page.locator(".link[data-place='0'] .whom.some", has_text="lead").wait_for()
    assert page.evaluate(CHECKS) == []
    page.keyboard.press("Control+z")
    eventually(lambda: slots() == (2, "lead"))
    page.get_by_role("button", name="all: deadpan_step", exact=True).click()
    eventually(lambda: slots() == ())
    assert not page.locator(".link[data-place='2'] .whom").count()  # flash draws no face


def test_a_signal_moves_a_knob_and_the_ring_shows_where_to(show, open_page, tmp_path):
    panel, desk, _ = show
    page = open_page(panel)

    def moves():
        found = desk.preset.chain[1].modulation.get("grain", ())
        return [(one.signal, round(one.amount, 3)) for one in found]

    page.get_by_role("button", name="Modulation: grain").click()
    page.get_by_label("Add a signal: grain").select_option("beat.decay")
    eventually(lambda: moves() == [("beat.decay", 0.1)])
    ring = page.locator(f'[data-address="{GRAIN}"] .ring')
    ring.wait_for()  # 0.05 + 0.1 of 0.2
    eventually(lambda: ring.evaluate("(one) => parseFloat(one.style.left)") == pytest.approx(75.0))
    steps = desk.steps[0]
    amount = page.get_by_role("slider", name="beat.decay → grain")
    drag(page, amount, 0.2, steps=20)  # from a quarter of the bar, -0.2..0.2: by 0.08
    eventually(lambda: moves() == [("beat.decay", pytest.approx(0.18, abs=0.004))])
    page.mouse.up()
    page.locator(f'[data-address="{GRAIN}"] .read', has_text="0.05").wait_for()
    assert desk.steps[0] <= steps + 1  # a drag is one step
    assert page.evaluate(CHECKS) == []
    desk.save(str(tmp_path / "moved.toml"))
    assert '"beat.decay"' in (tmp_path / "moved.toml").read_text(encoding="utf-8")
    page.get_by_role("button", name="Remove: beat.decay → grain").click()
    eventually(lambda: moves() == [])
    page.wait_for_function(
        f"() => !document.querySelector('[data-address=\"{GRAIN}\"] .ring:not([hidden])')"
    )
    page.keyboard.press("Control+z")
    eventually(lambda: moves() == [("beat.decay", pytest.approx(0.18, abs=0.004))])


def test_how_a_signal_moves_a_knob_and_when_a_link_is_drawn(show, open_page, tmp_path):
    panel, desk, _ = show
    desk.follow(1, "grain", "lfo.sine", 0.1)
    page = open_page(panel)

    def source():
        return desk.preset.chain[1].modulation["grain"][0]

    page.get_by_role("button", name="Modulation: grain").click()
    page.get_by_role("button", name="How it moves: lfo.sine → grain").click()
    page.get_by_label("Curve: lfo.sine → grain").select_option("ease_in")
    eventually(lambda: source().curve == "ease_in")
    page.locator(".source .on").wait_for()
    release = page.get_by_role("slider", name="Release: lfo.sine → grain")
    drag(page, release, 0.25)  # of two seconds
    page.mouse.up()
    eventually(lambda: source().release_ms == pytest.approx(500, abs=20))
    attack = page.get_by_role("slider", name="Attack: lfo.sine → grain")
    attack.focus()
    page.keyboard.type("80")
    page.keyboard.press("Enter")
    eventually(lambda: source().attack_ms == 80)
    page.get_by_label("Every, beats: lfo.sine → grain").select_option("8")
    eventually(lambda: source().rate_beats == 8)
    page.locator("[title*='every 8 beats']").first.wait_for(state="attached")
    page.get_by_role("slider", name="Rate (0: by beats): lfo.sine → grain").focus()
    page.keyboard.type("2.5")
    page.keyboard.press("Enter")
    eventually(lambda: source().rate_hz == 2.5)
    assert (source().amount, source().curve) == (0.1, "ease_in")
    page.get_by_role("button", name="Drawn while: film: always").click()
    field = page.get_by_label("Drawn while: film", exact=True)
    field.fill("bar.phase < 0.5 and face.jawOpne > 0.3")
    page.keyboard.press("Enter")
    page.locator("#news.bad", has_text="did you mean face.jawOpen?").wait_for()
    assert desk.preset.chain[1].when is None
    field.fill("bar.phase < 0.5 and face.jawOpen > 0.3")
    page.keyboard.press("Enter")
    eventually(lambda: desk.preset.chain[1].when is not None)
    page.locator(".cond.some", has_text="bar.phase < 0.5").wait_for()
    assert page.evaluate(CHECKS) == []
    desk.save(str(tmp_path / "moved.toml"))
    text = (tmp_path / "moved.toml").read_text(encoding="utf-8")
    assert 'curve = "ease_in"' in text
    assert "rate_hz = 2.5" in text
    assert 'when = "bar.phase < 0.5 and face.jawOpen > 0.3"' in text
    field.fill("")
    page.keyboard.press("Enter")
    eventually(lambda: desk.preset.chain[1].when is None)


def test_a_look_is_saved_loaded_and_told_apart(show, open_page):
    panel, desk, _ = show
    page = open_page(panel)
    page.locator("#looks-tools button", has_text="Save as").click()
    page.locator("dialog input").fill("tuned")
    page.keyboard.press("Enter")
    page.locator(".look[data-preset=tuned]").wait_for()
    bar(page).focus()
    page.keyboard.press("End")
    eventually(lambda: desk.get(GRAIN) == pytest.approx(0.2))
    page.locator("#looks-tools button", has_text="Changes").click()
    page.locator("dialog td", has_text="0.2").wait_for()
    page.keyboard.press("Escape")
    page.click(".look[data-preset=tuned]")
    eventually(lambda: desk.get(GRAIN) == pytest.approx(0.05))
    page.click(".look[data-preset=camcorder_band]")
    page.locator("#name", has_text="camcorder_band").wait_for()
    assert desk.preset.name == "camcorder_band"


SHOW = """version = 1
bpm = 120
length = 32.0
[[cue]]
at = "3:1" # the verse
name = "verse"
preset = "rnb_neon"
[[cue]]
at = "9:1"
name = "out"
black = true
"""


@pytest.fixture
def cued(show, tmp_path):
    """A panel with a show on 16 bars, the show's file, and where the song was sent."""
    panel, desk, switches = show
    path, gone = tmp_path / "show.toml", []
    path.write_text(SHOW, encoding="utf-8")
    live = LiveShow(path, switches, frame_s=1 / 30)
    ticks = SimpleNamespace(cues=None, now=None)
    live.extra(SimpleNamespace(desk=desk, look=desk, ticks=ticks, fault=pytest.fail))
    live.heard.append(lambda show: panel.play(show.show, show.edits.steps))
    panel.play(live.show, live.edits.steps)
    desk.register(Parameter("/kfx/v1/transport/time", "float", 0.0, range=(0, 99)), gone.append)
    desk.register(Parameter("/kfx/v1/song/time", "float", 0.0, unit="s"))
    return panel, path, gone


def places(path):
    return [cue.get("at") for cue in tomllib.loads(path.read_text(encoding="utf-8"))["cue"]]


def test_cues_are_dragged_on_the_bars_and_saved(cued, open_page):
    panel, path, gone = cued
    page, other = open_page(panel), open_page(panel)
    for one in (page, other):
        one.click("#tabs [data-tab=show]")
    mark = page.locator(".cue-mark").first
    mark.click()
    eventually(lambda: gone == [4.0])
    panel._desk.tell("/kfx/v1/song/time", 5.0, "song")
    page.wait_for_selector(".cue[aria-pressed=true]")
    # 32 seconds are the strip's width: to the middle of bar 5 and a little.
    strip, box = page.locator(".strip").bounding_box(), mark.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * 9.1 / 32, box["y"] + 8, steps=5)
    assert mark.get_attribute("data-at") == "5:3"
    assert places(path) == ["3:1", "9:1"]  # not before it is let go
    page.mouse.up()
    eventually(lambda: places(path) == ["5:3", "9:1"])
    assert 'at = "5:3" # the verse\n' in path.read_text(encoding="utf-8")
    other.locator(".cue b", has_text="5:3").wait_for()
    # By keys: a beat back, a bar on; one step.
    mark = page.locator(".cue-mark").first
    mark.focus()
    for key in ("ArrowLeft", "PageDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    eventually(lambda: places(path) == ["6:2.25", "9:1"])
    page.locator(".cue b", has_text="6:2.25").wait_for()
    for there in (["5:3", "9:1"], ["3:1", "9:1"]):
        page.locator(".cue-mark").first.focus()
        page.keyboard.press("Control+z")
        eventually(lambda there=there: places(path) == there)
    assert path.read_text(encoding="utf-8") == SHOW
    page.locator(".cue b", has_text="3:1").wait_for()
    # Escape lets go of it where it was.
    box = page.locator(".cue-mark").first.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 8, steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.evaluate(CHECKS) == []
    assert path.read_text(encoding="utf-8") == SHOW


def test_cues_are_added_changed_and_removed(cued, open_page):
    panel, path, gone = cued
    page = open_page(panel)
    page.click("#tabs [data-tab=show]")
    strip = page.locator(".strip")
    width = strip.bounding_box()["width"]
    strip.dblclick(position={"x": width * 12.1 / 32, "y": 40})
    page.get_by_label("Name", exact=True).fill("drop")
    page.get_by_label("Look", exact=True).select_option("supernova")
    page.get_by_label("Fade, beats").fill("2")
    assert page.evaluate(CHECKS) == []
    page.keyboard.press("Enter")
    eventually(lambda: places(path) == ["3:1", "7:1", "9:1"])
    cue = tomllib.loads(path.read_text(encoding="utf-8"))["cue"][1]
    assert cue == {"at": "7:1", "name": "drop", "preset": "supernova", "fade_beats": 2}
    page.get_by_role("button", name="Edit: 7:1 drop").click()
    page.get_by_label("At", exact=True).fill("8:1")
    page.get_by_label("Look", exact=True).select_option("")
    page.get_by_label("Fade, beats").fill("0")
    page.get_by_label("Output", exact=True).select_option("freeze")
    page.get_by_role("button", name="Change", exact=True).click()
    eventually(lambda: places(path) == ["3:1", "8:1", "9:1"])
    cue = tomllib.loads(path.read_text(encoding="utf-8"))["cue"][1]
    assert cue == {"at": "8:1", "name": "drop", "freeze": True}
    page.get_by_role("button", name="Remove: 9:1 out").click()
    eventually(lambda: places(path) == ["3:1", "8:1"])
    # What can't be played is said, and comes to nothing.
    page.get_by_role("button", name="Edit: 8:1 drop").click()
    page.get_by_label("At", exact=True).fill("99:1")
    page.keyboard.press("Enter")
    page.locator("#news.bad", has_text="outside the song").wait_for()
    for _ in range(3):
        page.get_by_role("button", name="Undo the edit of cues").click()
    eventually(lambda: path.read_text(encoding="utf-8") == SHOW)
    page.get_by_role("button", name="Go", exact=True).click()
    eventually(lambda: gone == [4.0])


def test_a_knob_is_learned_by_touching_it(show, open_page):
    panel, desk, _ = show
    learned, forgotten = [], []
    desk.register(Parameter("/kfx/v1/learn", "text", ""), learned.append)
    desk.register(Parameter("/kfx/v1/forget", "text", ""), forgotten.append)
    page, before = open_page(panel), desk.get(GRAIN)
    page.click("#learn")
    bar(page).click()
    eventually(lambda: learned == [GRAIN])
    page.wait_for_selector("body:not(.learning)")
    page.click("#learn")
    bar(page).click(button="right")
    eventually(lambda: forgotten == [GRAIN])
    assert desk.get(GRAIN) == before
    assert learned == [GRAIN]


def test_a_lost_connection_comes_back(tmp_path, open_page):
    with rolling(tmp_path) as (panel, desk, _):
        page = open_page(panel)
        light_becomes(page, 55, 85)
        panel.close()
        page.locator("#news.bad", has_text="connection lost").wait_for()
        desk.set(GRAIN, 0.1)
        with Panel(desk, port=panel.port, folder=tmp_path) as again:
            assert again.port == panel.port
            pictures = Rolling(desk, again)
            try:
                page.locator("#news", has_text="connected again").wait_for()
                page.locator(f'[data-address="{GRAIN}"] .read', has_text="0.1").wait_for()
                light_becomes(page, 105, 135)
                bar(page).press("Home")
                eventually(lambda: desk.get(GRAIN) == 0.0)
            finally:
                pictures.close()


def test_a_tablet_pairs_by_the_code_and_may_only_look(tmp_path, open_page, monkeypatch):
    monkeypatch.setattr(door.Door, "_role", _as_if_from_the_lan)
    with rolling(tmp_path, host="0.0.0.0") as (panel, desk, _):
        page = open_page(panel, (1024, 768), ready="#pairing:not([hidden])")
        page.fill("#pair-code", "000000" if panel.roles.code != "000000" else "111111")
        page.click("#pairing button")
        page.locator("#pair-said", has_text="wrong code").wait_for()
        page.fill("#pair-code", panel.roles.code)
        page.click("#pairing button")
        page.wait_for_selector("body[data-role=viewer]")
        light_becomes(page, 55, 85)
        assert not page.locator("#switches").is_visible()
        assert not page.locator("#chain").is_visible()
        assert page.locator("#show").is_visible()
        assert page.evaluate(CHECKS) == []
        page.keyboard.press("p")
        page.keyboard.press("1")
        page.evaluate(
            """() => new Promise((done) => {
              const socket = new WebSocket(`ws://${location.host}/control`);
              socket.onopen = () => socket.send(JSON.stringify(
                { t: "set", a: "/kfx/v1/film/grain", v: 0.2 }));
              socket.onmessage = (e) => { if (JSON.parse(e.data).t === "error") done(); };
            })"""
        )
        assert desk.get(GRAIN) == 0.05
        assert desk.get("/kfx/v1/mode") == "live"
        (device,) = panel.roles.devices
        panel.roles.revoke(device.id)
        panel._changed()
        page.wait_for_selector("#pairing:not([hidden])")


@pytest.mark.parametrize(
    ("size", "locale"), [((1440, 900), "en-US"), ((1024, 768), "ko-KR"), ((300, 720), "en-US")]
)
def test_it_can_be_read_and_named_at_every_size(show, open_page, size, locale):
    panel, _, _ = show
    page = open_page(panel, size, locale)
    light_becomes(page, 55, 85)
    for tab in ("chain", "looks", "show", "health"):
        button = page.locator(f"#tabs [data-tab={tab}]")
        if button.is_visible():
            button.click()
        assert page.evaluate(CHECKS) == [], tab
    page.keyboard.press("?")
    assert page.evaluate(CHECKS) == []
    assert page.evaluate("document.documentElement.lang") == locale[:2]


@pytest.fixture(scope="module")
def axe():
    """axe-core's own text, from a package for tests."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core isn't installed")
    return Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


AXE = """axe.run({ resultTypes: ["violations"] }).then((said) => said.violations.flatMap((one) =>
  one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 120)}: ${node.failureSummary}`)))"""


@pytest.mark.parametrize(
    ("size", "locale"), [((1440, 900), "en-US"), ((1024, 768), "ko-KR"), ((300, 720), "ko-KR")]
)
def test_axe_finds_nothing_in_any_tab_or_form(cued, open_page, axe, size, locale):
    panel, _, _ = cued
    panel._desk.follow(1, "grain", "lfo.sine", 0.1)
    page = open_page(panel, size, locale)
    page.evaluate(axe)

    def tab(name):
        button = page.locator(f"#tabs [data-tab={name}]")
        if button.is_visible():
            button.click()

    def click(selector):
        page.locator(selector).first.click()

    tab("chain")
    for opened in (
        ".link[data-place='1'] .wave.on",
        "[data-keep^='open shape']",
        "[data-keep^='open when']",
        "[data-keep^='open slots']",
    ):
        click(opened)
    assert page.evaluate(AXE) == []
    for name in ("looks", "show", "health"):
        tab(name)
        assert page.evaluate(AXE) == [], name
    tab("show")
    if size[0] != 300:  # forms are the same at every size
        return
    for form in ("[data-keep='add-cue']", "#add", "#help"):
        if form == "#add":
            tab("chain")
        click(form)
        page.wait_for_selector("dialog[open]")
        assert page.evaluate(AXE) == [], form
        assert page.evaluate(CHECKS) == [], form
        page.keyboard.press("Escape")
    tab("looks")
    click("#looks-tools button")  # the eight, large
    assert page.evaluate(AXE) == []


def test_axe_finds_nothing_where_a_device_pairs_and_looks(tmp_path, open_page, axe, monkeypatch):
    monkeypatch.setattr(door.Door, "_role", _as_if_from_the_lan)
    with rolling(tmp_path, host="0.0.0.0") as (panel, desk, _):
        desk.register(Parameter("/kfx/v1/take/circle", "event"), lambda _: None)
        page = open_page(panel, (1024, 768), ready="#pairing:not([hidden])")
        page.evaluate(axe)
        assert page.evaluate(AXE) == []
        page.fill("#pair-code", panel.roles.code)
        page.click("#pairing button")
        page.wait_for_selector("body[data-role=viewer]")
        page.locator("#takes .star").wait_for()
        for name in ("show", "health"):
            page.click(f"#tabs [data-tab={name}]")
            assert page.evaluate(AXE) == [], name


def test_the_page_is_light_and_asks_nobody_else(show, open_page):
    panel, _, _ = show
    page = open_page(panel)
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])"
    )
    assert all(name.startswith(panel.url) for name, _ in loaded)
    assert sum(size for _, size in loaded) < 300_000
