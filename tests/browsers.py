"""A real browser for the tests: Chromium without a screen, which reaches 127.0.0.1 and nothing else."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from deploy.local.engines import debian

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@asynccontextmanager
async def opened_page(
    width: int = 1280, height: int = 900, program: debian.Program | None = None
) -> AsyncIterator[Page]:
    """Open an empty page of this size, in pixels; what its scripts complain about fails the test.

    Args:
        program: the Chromium to use; by default the machine's, else the one that is fetched.

    Raises:
        FetchFailed: there is no Chromium and apt cannot fetch it.
        AssertionError: a script of a page that was shown ended with an error, or complained on the console.
    """
    chromium = program or debian.ensure("chromium")
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path, args=FLAGS, env={**os.environ, **chromium.environment}
        )
        try:
            context = await browser.new_context(viewport={"width": width, "height": height})
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda message: complaints.append(message.text) if message.type == "error" else None,
            )
            yield page
        finally:
            await browser.close()
    assert not complaints, complaints


async def colours(page: Page, selector: str) -> dict[str, int]:
    """How many pixels of each colour an element shows: a chart that came out blank passes every test of its text.

    Args:
        selector: of one element; it is scrolled into view.

    Returns:
        Numbers by colour, such as `#cc0000`.
    """
    picture = base64.b64encode(await page.locator(selector).screenshot()).decode()
    # Another page, so that no rule of the one under test forbids it: the browser reads its own pictures best.
    reader = await page.context.new_page()
    try:
        counted: dict[str, int] = await reader.evaluate(_COUNT, picture)
    finally:
        await reader.close()
    return counted


_COUNT = """async (picture) => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + picture;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const bytes = canvas.getImageData(0, 0, image.width, image.height).data;
    const counts = {};
    for (let at = 0; at < bytes.length; at += 4) {
        const hex = [0, 1, 2].map((one) => bytes[at + one].toString(16).padStart(2, '0'));
        const colour = '#' + hex.join('');
        counts[colour] = (counts[colour] || 0) + 1;
    }
    return counts;
}"""
