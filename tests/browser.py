"""Headless Chromium without a network, and what every page must not do in it."""

import shutil
from contextlib import contextmanager

import pytest

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
VIEWS = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE}
SERIOUS = {"serious", "critical"}
FOREIGN = """async () => {
    const refused = [];
    addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend",
        "<img src='https://example.org/x' onerror='window.ran = true'><p style='color:red'>x</p>");
    await fetch("https://example.org/").catch(() => 0);
    await new Promise((done) => setTimeout(done, 50));
    return [window.ran === true, refused];
}"""
"""Code, style and a request that are not the page's own: whether they ran, and what was refused."""
REFUSED = ("script-src-elem", "script-src-attr", "style-src-attr", "img-src", "connect-src")


@pytest.fixture(scope="module")
def chromium():
    """A running browser; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if EXECUTABLE is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=EXECUTABLE,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@contextmanager
def opened(chromium, file, address="", beside=(), **options):
    """Open a file; afterwards it must have logged no fault and asked for nothing but itself.

    A violation of the page's content-security policy is such a fault.  What the page was given
    afterwards, as if a name had become markup, must not have run.  `beside` names files that it
    may ask for.
    """
    settings = {"viewport": {"width": 1280, "height": 900}, "offline": True} | options
    context = chromium.new_context(**settings)
    page = context.new_page()
    faults, requests = [], []
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(file.as_uri() + address)
        settle(page)
        yield page
        assert faults == []
        own = (file.as_uri(), "data:", "blob:", *(file.with_name(name).as_uri() for name in beside))
        assert [url for url in requests if not url.startswith(own)] == []
        ran, refused = page.evaluate(FOREIGN)
        assert not ran
        assert {*REFUSED} <= {*refused}
    finally:
        context.close()


def settle(page):
    """Wait until what was asked for is drawn and the address is written."""
    page.evaluate("() => new Promise(done => setTimeout(() => requestAnimationFrame(done), 120))")


def accessibility_faults(page):
    """Rules of axe-core that are broken in a serious or critical way, and where."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    )
    violations = axe.Axe().run(page).response["violations"]
    return [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]])
        for rule in violations
        if rule["impact"] in SERIOUS
    ]


def scrolls_sideways(page):
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def footer_on_paper(page):
    """How the block around the sources may break on paper, and the section before them in it."""
    page.emulate_media(media="print")
    return page.locator("footer.provenance").evaluate("""(one) => [
        getComputedStyle(one.parentElement).breakInside,
        one.previousElementSibling.getAttribute("aria-labelledby")]""")
