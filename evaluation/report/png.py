"""The figures of a report as PNG files."""

from pathlib import Path

from configs.errors import ConfigError
from evaluation.report.data import Run
from evaluation.report.figures import draw_all

WIDTH, SCALE = 640, 3  # 1,920 pixels: 300 dpi over a column of 16 cm
INK, GRID = "#1d2128", "#dfe2e6"


def write_figures(runs: tuple[Run, ...], folder: Path) -> int:
    """Write each figure as NAME.png, on white, with a headless Chromium; return how many there are."""
    kaleido = _kaleido()
    drawn = draw_all(runs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--png: {folder} can't be made: {error.strerror}; name another folder") from None
    kaleido.start_sync_server(silence_warnings=True, mathjax=False)
    try:
        for told, figure in drawn:
            figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color=INK)
            figure.update_xaxes(gridcolor=GRID, linecolor=GRID).update_yaxes(gridcolor=GRID, linecolor=GRID)
            size = {"width": WIDTH, "height": figure.layout.height, "scale": SCALE, "format": "png"}
            kaleido.write_fig_sync(figure.to_plotly_json(), path=folder / f"{told.name}.png", opts=size)
    finally:
        kaleido.stop_sync_server(silence_warnings=True)
    return len(drawn)


def _kaleido():
    """Return the module that draws; a ConfigError says what it lacks."""
    try:
        import kaleido
        from choreographer.browsers.chromium import Chromium
    except ModuleNotFoundError as error:
        raise ConfigError(f"--png: {error.name} is not installed; pip install -e '.[report]' brings it") from None
    if not Chromium.find_browser(skip_local=False):
        raise ConfigError("--png: no Chromium or Chrome is found; install one, or name it in BROWSER_PATH")
    return kaleido
