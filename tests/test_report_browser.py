"""The report in a real browser, Debian's Chromium: it filters, obeys keys and themes, and runs and loads nothing."""

import os
import re
import shutil
from pathlib import Path

import pytest

from configs.files import read_json, write_json
from evaluation.report.command import report
from tests.reported import HOSTILE, make_run, many
from tests.shop import GOLDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    rootless = [] if os.getuid() else ["--no-sandbox"]  # Chromium's own sandbox refuses to run as root
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=rootless)
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory, shop) -> Path:
    """A report, one of whose databases, too, holds hostile text."""
    run = make_run(tmp_path_factory.mktemp("reported"), shop)
    assert report([str(run)]) == 0
    return run / "report.html"


@pytest.fixture
def opened(browser, written):
    """Return a function that opens a page; at the test's end it has complained of nothing and asked for nothing."""
    contexts, complaints, requests = [], [], []

    def open_page(path: Path = written, **options: object):
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "color_scheme": "light"} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.locator("html[data-ready]").wait_for(state="attached")  # wait_for_function would need eval
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(url.startswith("file://") and url.endswith(".html") for url in requests)


def count(page) -> str:
    return page.inner_text("#count")


def shown(page) -> str:
    return page.inner_text("#item h3")


def drawn(page) -> None:
    """Wait until all figures are drawn."""
    page.evaluate("document.querySelectorAll('.plot').forEach((plot) => draw(plot))")
    playwright.expect(page.locator(".plot:has(svg)")).to_have_count(page.locator(".plot").count(), timeout=20_000)


def test_filters_narrow_the_list_and_clear_widens_it(opened):
    page = opened()
    all_of_them = f"{len(GOLDS)} of {len(GOLDS)}"
    assert count(page) == all_of_them
    page.select_option("#model", label="SFT")
    page.select_option("#verdict", "right")
    assert count(page) == f"{len(GOLDS) // 2} of {len(GOLDS)}"
    page.select_option("#verdict", "=no_such_column")
    assert count(page) == f"{(len(GOLDS) + 1) // 2} of {len(GOLDS)}"
    page.select_option("#model", label="SFT + GRPO")
    assert count(page).startswith("0 of") and "No question fits" in page.inner_text("#item")
    page.select_option("#verdict", "better")  # SFT wrong, RL right: all even ones but the third
    assert count(page) == f"{(len(GOLDS) + 1) // 2 - 1} of {len(GOLDS)}"
    page.click("text=Clear")
    playwright.expect(page.locator("#count")).to_have_text(all_of_them)
    page.select_option("#level", "L2")
    assert 0 < int(count(page).split()[0]) < len(GOLDS)


def test_search_looks_into_question_sql_and_plan(opened):
    page = opened()
    page.fill("#search", "GROUP BY CITY")  # whatever the case
    assert count(page).startswith("1 of") and "SELECT city, count(*)" in page.inner_text("#item").replace("\n", " ")
    page.fill("#search", "onerror")
    assert int(count(page).split()[0]) >= 2
    page.fill("#search", "no such words at all")
    assert count(page).startswith("0 of")


def test_samples_of_rl_are_filtered_by_reward(opened):
    page = opened()
    page.select_option("#source", label="RL samples")
    assert count(page) == "30 of 30" and page.inner_text("#score-name") == "reward"
    assert page.locator("#item .answer").count() == 5  # gold, and the group
    page.fill("#least", "2.5")
    assert count(page) == "0 of 30"
    page.fill("#least", "1.5")
    assert count(page) == "30 of 30"


def test_a_question_shows_plan_sql_rows_and_scores_of_every_model(opened):
    page = opened()
    page.fill("#search", "shop-3")
    cards = page.locator("#item .answer")
    assert [card.split("\n")[0] for card in cards.all_inner_texts()] == ["gold", "base", "SFT", "SFT + GRPO"]
    gold, base, sft, rl = cards.all_inner_texts()
    assert "Rome" in gold and "Oslo" in gold and "I cannot say." in base
    assert "no such column: nme" in sft and "✗ no such column" in sft
    assert "Oslo" in rl and "✓ right" in rl and "open it" in rl and re.search(r"soft F1 1\b", rl)
    assert page.locator("#item .keyword").first.inner_text() == "SELECT"
    page.click("#item summary")
    assert "customer(id int pk" in page.inner_text("#item details")


def test_the_keyboard_is_enough(opened):
    page = opened()
    first = shown(page)
    page.keyboard.press("j")
    second = shown(page)
    assert second != first
    page.keyboard.press("k")
    assert shown(page) == first
    page.keyboard.press("/")
    page.keyboard.type("jj shop-4")  # in a field, letters are letters
    assert page.input_value("#search") == "jj shop-4"
    page.fill("#search", "")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    assert shown(page) == second and page.locator("#items li[aria-selected=true]").count() == 1
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "item"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "items"


def test_long_lists_are_drawn_in_pages_of_fifty(opened, tmp_path):
    run = many(tmp_path / "many", 240)
    assert report([str(run)]) == 0
    page = opened(run / "report.html")
    assert count(page) == "120 of 120" and page.locator("#items li").count() == 50
    page.click("#on")
    page.click("#on")
    assert page.inner_text("#page") == "page 3 of 3" and page.locator("#items li").count() == 20
    page.keyboard.press("k")
    assert page.inner_text("#page") == "page 2 of 3" and shown(page).startswith("99:")


def test_light_and_dark(opened):
    def paper(page) -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = opened()
    drawn(page)
    light, label = paper(page), page.locator(".plot .xtick text").first
    before = label.evaluate("(element) => getComputedStyle(element).fill")
    page.click("#theme")
    dark = paper(page)
    assert light != dark and page.inner_text("#theme") == "Light"
    playwright.expect(label).not_to_have_css("fill", before)  # the figures follow
    page.reload()
    assert paper(page) == dark  # remembered
    page.keyboard.press("t")
    assert paper(page) == light
    assert paper(opened(color_scheme="dark")) == dark


def test_every_figure_is_drawn(opened, written):
    page = opened()
    drawn(page)
    assert page.locator(".plot").count() == 8
    assert "no such column" in page.locator('[data-figure="errors"]').inner_text()


def test_what_a_model_said_is_seen_and_does_not_run(opened):
    page = opened()
    for source in ("0", "1"):
        page.select_option("#source", source)
        for place in range(int(count(page).split()[0])):
            page.evaluate(f"select({place})")
            assert page.locator("#item :is(img, b i, script, iframe)").count() == 0
    page.select_option("#source", "0")
    page.fill("#search", "window.hit")
    assert HOSTILE.partition("\u2028")[0] in page.locator("#item").text_content()
    drawn(page)
    assert page.evaluate("window.hit") is None


def test_the_policy_stops_what_would_get_through(browser, written):
    """Were there a hole in the escaping, a script put into the page would still not run, and an image not load."""
    page = browser.new_page()
    blocked = []
    page.on("requestfailed", lambda request: blocked.append((request.url, request.failure)))
    page.goto(written.as_uri())
    page.evaluate(
        """document.body.insertAdjacentHTML('beforeend',
           '<img src="http://127.0.0.1:9/x" onerror="window.hit = 1"><iframe srcdoc="<script>top.hit = 2</script>">');
           const script = document.createElement('script');
           script.textContent = 'window.hit = 3';
           document.body.append(script);"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert blocked == [("http://127.0.0.1:9/x", "csp")]
    page.close()


def test_on_a_phone_one_thing_is_seen_at_a_time_and_nothing_is_wider(opened):
    page = opened(viewport=PHONE)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)
    assert page.is_visible("#items") and not page.is_visible("#item")
    page.locator("#items li").nth(3).click()
    assert page.is_visible("#item") and not page.is_visible("#items") and page.evaluate(fits)
    page.click("#return")
    assert page.is_visible("#items") and not page.is_visible("#item")


def test_print_is_light_without_controls(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#filters") and page.is_visible("#scores")


def test_ten_thousand_predictions_open_in_two_seconds(opened, tmp_path):
    run = many(tmp_path / "many", 10_000)
    assert report([str(run)]) == 0
    assert (run / "report.html").stat().st_size < 15_000_000
    milliseconds = [2000]
    while min(milliseconds) >= 2000 and len(milliseconds) < 4:  # a busy machine may need a second try
        page = opened(run / "report.html")
        milliseconds.append(int(page.evaluate("document.documentElement.dataset.ready")))
    assert min(milliseconds) < 2000, milliseconds
    page.fill("#search", "4999:")
    assert count(page) == "1 of 5,000"


def test_figures_as_png(written, tmp_path, capsys):
    pytest.importorskip("kaleido")
    assert report([str(written.parent), "--rows", "0", "--out", str(tmp_path / "x.html"), "--png", str(tmp_path)]) == 0
    assert "8 figures" in capsys.readouterr().err
    files = sorted(tmp_path.glob("*.png"))
    assert len(files) == 8
    for file in files:
        head = file.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(head[16:20]) == 1920


def test_rows_are_text_too(opened, tmp_path, shop):
    """What a database holds is no more to be trusted than what a model says."""
    run = make_run(tmp_path, shop)
    found = read_json(run / "evaluation" / "rl.json")
    found["predictions"][4]["sql"] = 'SELECT \'<img src=x onerror="window.hit = 4">\' AS "<b>x</b>", NULL'
    write_json(run / "evaluation" / "rl.json", found)
    assert report([str(run)]) == 0
    page = opened(run / "report.html")
    page.fill("#search", found["predictions"][4]["task_id"])
    table = page.locator("#item .answer").last.locator("table")
    assert table.locator("th").all_inner_texts() == ["<b>x</b>", "NULL"]
    assert table.locator("td").all_inner_texts() == ['<img src=x onerror="window.hit = 4">', "NULL"]
    assert page.evaluate("window.hit") is None
