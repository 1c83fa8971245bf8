"""A page in a headless Chromium, which is watched: what it fetches, and what it complains about. Debian's packages
chromium, chromium-driver and python3-selenium."""

import base64
import json
import sys
import tempfile

DEBIAN = "/usr/lib/python3/dist-packages"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")


class Browser:
    def __init__(self):
        if DEBIAN not in sys.path:
            sys.path.append(DEBIAN)  # where another Python comes first
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service
        self.profile = tempfile.TemporaryDirectory(prefix="karma-browser-", ignore_cleanup_errors=True)
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, "--user-data-dir=" + self.profile.name):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.profile.cleanup()

    def open(self, path, width, dark=False):
        """Returns the addresses that were fetched, and what the console says."""
        self.driver.get("about:blank")
        self.driver.get_log("performance"), self.driver.get_log("browser")
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.driver.get("file://%s" % path)
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        fetched = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return fetched, self.driver.get_log("browser")

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def value(self, expression):
        return self.driver.execute_script("return " + expression)

    def screenshot(self, path):
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]))
