"""The site that tools/docs makes of the pages: it builds without a warning, every link inside it leads somewhere, anchors included,
and nothing in it is fetched from elsewhere. Links to other sites are not followed."""
import re
import shutil
import subprocess
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pages import ROOT

SOURCES = ["docs", "tools", "mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    LOADS = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href"), ("object", "data")}

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.update(value for name, value in attributes if name == "id" or (tag, name) == ("a", "name"))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        for element, name in self.LOADS:
            # <link rel="canonical"> and the like load nothing.
            if tag == element and values.get(name) and values.get("rel", "stylesheet") in ("stylesheet", "icon", "preload"):
                self.loads.append(values[name])


def dead_links(site):
    """(page, link) of those that lead nowhere, and (page, address) of what comes from elsewhere."""
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    dead, foreign = [], []
    for path, page in pages.items():
        if path.name == "404.html":
            continue
        name = str(path.relative_to(site))
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads:
                    foreign.append((name, link))
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists() or site.resolve() not in target.resolve().parents:
                dead.append((name, link))
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                dead.append((name, link))
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)", path.read_text()):
            foreign.append((str(path.relative_to(site)), address))
    return dead, foreign


@unittest.skipUnless(shutil.which("mkdocs"), "mkdocs is not installed")
class Site(unittest.TestCase):
    maxDiff = 5000

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="etastar-site-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, cls.folder / name)
        cls.result = subprocess.run(["mkdocs", "build", "--strict"], cwd=cls.folder, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=300)
        cls.site = cls.folder / "build/site"

    def test_builds(self):
        self.assertEqual(self.result.returncode, 0, self.result.stdout)
        self.assertFalse((self.site / "measurements").exists())

    def test_links(self):
        dead, foreign = dead_links(self.site)
        self.assertEqual(dead, [])
        self.assertEqual(foreign, [])

    def test_every_page_is_in_the_navigation(self):
        shown = set(re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
        self.assertEqual({path.name for path in (ROOT / "docs").glob("*.md")} - shown, set())

    def test_markdown_is_read_as_github_reads_it(self):
        science = (self.site / "science.html").read_text()
        # Formulas on lines of their own and in the text, also in lists; none is left as it was written.
        formulas = re.findall(r'<(div|span) class="arithmatex">(.*?)</\1>', science, re.S)
        self.assertGreater([tag for tag, _ in formulas].count("div"), 40)
        self.assertGreater([tag for tag, _ in formulas].count("span"), 500)
        self.assertEqual([formula for _, formula in formulas if "<" in formula], [])
        text = re.sub(r"<[^>]*>", "", re.sub(r'<(div|span) class="arithmatex">.*?</\1>|<pre.*?</pre>|<script.*?</script>', "", science, flags=re.S))
        self.assertEqual(re.findall(r".*(?:\$|```).*", text), [])
        for path in self.site.glob("*.html"):
            article = re.search(r"<article.*?</article>", path.read_text(), re.S)
            if article:
                words = re.sub(r"<pre.*?</pre>|<code.*?</code>", "", article[0], flags=re.S)
                # Rows of tables and items of lists that were read as text.
                self.assertEqual((path.name, re.findall(r"(?m)^\s*(?:<p>)?\|.*\|$|^- .*", words)), (path.name, []))
        self.assertIn("<svg", (self.site / "architecture.html").read_text())

    def test_a_dead_link_is_found(self):
        site = self.folder / "small"
        site.mkdir()
        (site / "a.html").write_text('<p id="here"></p><a href="#here"></a><a href="#there"></a><a href="b.html"></a><a href="b.html#x"></a>'
                                     '<a href="https://example.org/none"></a><img src="https://example.org/x.png">'
                                     '<a href="../../../etc/passwd"></a>')
        (site / "b.html").write_text("<p></p>")
        (site / "c.css").write_text("@font-face { src: url(https://example.org/f.woff2) }")
        self.assertEqual(dead_links(site), ([("a.html", "#there"), ("a.html", "b.html#x"), ("a.html", "../../../etc/passwd")],
                                            [("a.html", "https://example.org/x.png"), ("c.css", "https://example.org/f.woff2")]))


if __name__ == "__main__":
    unittest.main()
