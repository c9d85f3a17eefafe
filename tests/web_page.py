"""Headless Chromium on a page of the viewer, used as a person would use it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from programs import wait_until

__all__ = ["WebPage"]

# What Chromium and viser always say.
_USUAL = ("THREE.Clock: This module has been deprecated",)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
)


class WebPage:
    """A page in a headless Chromium.

    Args:
        url: its address.
        folder: gets the downloads.
        width, height: of the window.
        query: behind the address. A slow browser lowers the resolution of its canvas; a fixed one
            makes screenshots comparable.
        has_note: whether to wait for the note of viser on drawing in software, and to close it.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        width: int = 1200,
        height: int = 800,
        query: str = "/?fixedDpr=1",
        has_note: bool = True,
    ) -> None:
        webdriver = pytest.importorskip(
            "selenium.webdriver", reason="no selenium: pip install selenium"
        )
        paths = [shutil.which(name) for name in ("chromium", "chromedriver")]
        if not all(paths):
            pytest.skip("no Chromium: apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = paths[0]
        for flag in (*_FLAGS, f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.add_experimental_option(
            "prefs",
            {
                "download.default_directory": str(folder),
                "download.prompt_for_download": False,
                "profile.default_content_setting_values.automatic_downloads": 1,
            },
        )
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(paths[1])
        self._webdriver = webdriver
        self.keys = webdriver.Keys
        self.folder = folder
        self.driver = webdriver.Chrome(options=options, service=service)
        self.requested: set[str] = set()
        self.messages: list[str] = []
        self.driver.get(url + query)
        # viser says that Chromium draws in software.
        if has_note:
            close = ".mantine-Notification-closeButton"
            wait_until(lambda: self.find(close), "note")[0].click()
            wait_until(lambda: not self.find(close), "end of the note")

    # What it shows

    def find(self, selector: str) -> list[Any]:
        """Return the elements of a CSS selector that can be seen."""
        return [each for each in self.driver.find_elements("css selector", selector) if _seen(each)]

    def text(self) -> str:
        """Return the text of the page."""
        return str(self.driver.find_element("tag name", "body").text)

    def shot(self) -> npt.NDArray[np.uint8]:
        """Return what the window shows, (H, W, 3) uint8."""
        with Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as image:
            return np.asarray(image.convert("RGB"))

    def canvas(self) -> npt.NDArray[np.uint8]:
        """Return what the canvas shows, (H, W, 3) uint8."""
        size = self.canvas_size()
        return self.shot()[: size[1], : size[0]]

    def canvas_size(self) -> tuple[int, int]:
        """Return width and height of the canvas."""
        size = self.driver.find_element("tag name", "canvas").size
        return size["width"], size["height"]

    # What a person does

    def click(self, text: str, selector: str = "button") -> None:
        """Click what has this text."""
        wait_until(lambda: self._try_to_click(text, selector), f"{selector} {text!r}")

    def _try_to_click(self, text: str, selector: str) -> bool:
        from selenium.common.exceptions import WebDriverException

        try:
            for each in self.find(selector):
                if each.text.strip() == text:
                    each.click()
                    return True
        except WebDriverException:  # the page changes meanwhile
            pass
        return False

    def tab(self, name: str) -> None:
        """Open a tab of the controls."""
        self.click(name, "[role=tab]")

    def control(self, label: str) -> Any:
        """Return the input of a control."""

        def look() -> Any:
            for each in self.find("label"):
                if each.text == label:
                    return self.driver.find_element("id", each.get_attribute("for"))
            return None

        return wait_until(look, f"control {label!r}")

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a list."""
        self.control(label).click()
        self.click(option, "[role=option]")

    def check(self, label: str) -> None:
        """Click the box of a control."""
        self.driver.execute_script("arguments[0].click()", self.control(label))

    def enter(self, label: str, text: str) -> None:
        """Type a number into a control."""
        control, keys = self.control(label), self.keys
        control.click()
        control.send_keys(keys.CONTROL, "a")
        control.send_keys(text, keys.ENTER)

    def slide(self, index: int, steps: int) -> None:
        """Move the slider with this number among those that can be seen, by arrow keys."""
        keys = self.keys
        slider = wait_until(lambda: self.find("[role=slider]")[index:], "slider")[0]
        for _ in range(abs(steps)):
            slider.send_keys(keys.ARROW_RIGHT if steps > 0 else keys.ARROW_LEFT)

    def click_canvas(self, x: int, y: int, shift: bool = False) -> None:
        """Click a pixel of the canvas."""
        chain = self._at(x, y)
        if shift:
            chain.key_down(self.keys.SHIFT)
        chain.click()
        if shift:
            chain.key_up(self.keys.SHIFT)
        chain.perform()

    def drag(self, x: int, y: int, right: int, down: int, steps: int = 10) -> None:
        """Drag on the canvas, in steps as a hand makes it."""
        chain = self._at(x, y).click_and_hold()
        for _ in range(steps):
            chain.move_by_offset(right // steps, down // steps)
        chain.release().perform()

    def _at(self, x: int, y: int) -> Any:
        canvas = self.driver.find_element("tag name", "canvas")
        width, height = self.canvas_size()
        chain = self._webdriver.ActionChains(self.driver, duration=20)
        return chain.move_to_element_with_offset(canvas, x - width // 2, y - height // 2)

    def scroll(self, x: int, y: int, down: int) -> None:
        """Turn the wheel over a pixel of the canvas, in CSS pixels of scrolling."""
        canvas = self.driver.find_element("tag name", "canvas")
        width, height = self.canvas_size()
        actions = self._webdriver.common.action_chains
        origin = actions.ScrollOrigin.from_element(canvas, x - width // 2, y - height // 2)
        self._webdriver.ActionChains(self.driver).scroll_from_origin(origin, 0, down).perform()

    def move_away(self) -> None:
        """Move the pointer to where it shows nothing."""
        self._at(2, 2).perform()

    def downloaded(self, suffix: str) -> Path:
        """Return the file that was downloaded."""

        def look() -> Path | None:
            found = [each for each in self.folder.iterdir() if each.name.endswith(suffix)]
            return found[0] if found and found[0].stat().st_size else None

        path: Path = wait_until(look, f"download of {suffix}")
        return path

    # What it did

    def read_logs(self) -> None:
        """Collect the messages of the console and the addresses that were asked for."""
        for entry in self.driver.get_log("browser"):
            is_usual = any(usual in entry["message"] for usual in _USUAL)
            if entry["level"] in ("WARNING", "SEVERE") and not is_usual:
                self.messages.append(entry["message"])
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            values = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.add(values["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self.requested.add(values["url"])

    def close(self) -> None:
        """Close the browser."""
        self.driver.quit()

    def __enter__(self) -> WebPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _seen(element: Any) -> bool:
    from selenium.common.exceptions import WebDriverException

    try:
        return bool(element.is_displayed())
    except WebDriverException:
        return False
