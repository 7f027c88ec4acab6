"""Takes the pictures of the README from a real report.

    python docs/pictures/make.py RUN_DIR

writes `report-light.png` and `report-dark.png` beside this file: the top of
RUN_DIR/report.html as Chromium draws it in either theme.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT, SCALE = 1280, 1120, 1.5
# Blink's numbers of prefers-color-scheme.
SCHEMES = {"light": 1, "dark": 0}


def take(browser: str, page: Path, picture: Path, scheme: int) -> None:
    """Screenshot of the top of a page in one colour scheme."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--blink-settings=preferredColorScheme={scheme}",
            f"--force-device-scale-factor={SCALE}",
            f"--window-size={WIDTH},{HEIGHT}",
            "--virtual-time-budget=15000",
            f"--screenshot={picture}",
            page.resolve().as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=180)


def main() -> None:
    """Take both pictures."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    page = Path(sys.argv[1]) / "report.html"
    if browser is None or not page.exists():
        sys.exit(f"needs Chromium and {page}")
    for theme, scheme in SCHEMES.items():
        picture = HERE / f"report-{theme}.png"
        take(browser, page, picture, scheme)
        print(picture)


if __name__ == "__main__":
    main()
