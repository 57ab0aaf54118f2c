"""The panel's page in a real browser: what is touched changes the picture, in every open page."""

import shutil

import pytest

from kfx import shows
from kfx.engine.desk.tree import Parameter
from kfx.panel import door
from kfx.panel.server import Panel
from tests.panel.shows import GRAIN, Rolling, rolling
from tests.panel.test_server import _as_if_from_the_lan, eventually

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
        page.set_default_timeout(15_000)
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


def test_a_click_on_a_cue_goes_there(show, open_page):
    panel, desk, _ = show
    gone = []
    desk.register(Parameter("/kfx/v1/cue/goto", "text", ""), gone.append)
    desk.register(Parameter("/kfx/v1/song/time", "float", 0.0, unit="s"))
    text = (
        'version = 1\nbpm = 120\nlength = 32\n[[cue]]\nat = "3:1"\nname = "verse"\npanic = true\n'
    )
    panel.play(shows.read(text, "show.toml"))
    page = open_page(panel)
    page.click("#tabs [data-tab=show]")
    page.click(".cue-mark")
    eventually(lambda: gone == ["3:1"])
    desk.tell("/kfx/v1/song/time", 5.0, "song")
    page.wait_for_selector(".cue[aria-pressed=true]")
    assert page.evaluate(CHECKS) == []


def test_a_knob_is_learned_by_touching_it(show, open_page):
    panel, desk, _ = show
    learned = []
    desk.register(Parameter("/kfx/v1/learn", "text", ""), learned.append)
    page, before = open_page(panel), desk.get(GRAIN)
    page.click("#learn")
    bar(page).click()
    eventually(lambda: learned == [GRAIN])
    page.wait_for_selector("body:not(.learning)")
    assert desk.get(GRAIN) == before


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


def test_the_page_is_light_and_asks_nobody_else(show, open_page):
    panel, _, _ = show
    page = open_page(panel)
    loaded = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])"
    )
    assert all(name.startswith(panel.url) for name, _ in loaded)
    assert sum(size for _, size in loaded) < 300_000
