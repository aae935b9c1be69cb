"""A run as one page: `python -m evaluation report RUN` → report.html, and its figures as PNG."""
