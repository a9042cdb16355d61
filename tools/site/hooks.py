"""What mkdocs (Python-Markdown) needs to show our pages as GitHub does, and files of the site that are not in docs/."""
import html
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from mkdocs.structure.files import File
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
KATEX = Path("/usr/share/javascript/katex")
# Pages of the site that lie elsewhere.
OUTSIDE = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
ASSETS = {"assets/site.css": ROOT / "tools/site/site.css", "assets/math.js": ROOT / "tools/site/math.js"}
ITEM = re.compile(r"( *)([-*+]|\d+\.) +")
FENCE = re.compile(r"( *)(`{3,}|~{3,})")

staging = None


def on_config(config):
    """Anchors as GitHub has them, and its formulas on lines of their own."""
    config["mdx_configs"]["toc"]["slugify"] = slugify(case="lower")
    math = {"name": "math", "class": "arithmatex", "format": formula}
    config["mdx_configs"].setdefault("pymdownx.superfences", {})["custom_fences"] = [math]
    return config


def formula(source, *_, **__):
    return f'<div class="arithmatex">\\[\n{html.escape(source)}\n\\]</div>'


def on_files(files, config):
    """Adds the pages and files from elsewhere; leaves out docs/measurements and the scripts beside the figures."""
    global staging
    staging = tempfile.TemporaryDirectory(prefix="etastar-site-")
    added = {name: ROOT / source for name, source in OUTSIDE.items()}
    added.update(ASSETS)
    if not KATEX.exists():
        raise FileNotFoundError(f"{KATEX}: formulas need KaTeX, Debian's libjs-katex")
    # auto-render and the like are not needed, nor are fonts for old browsers.
    for path in [KATEX / "katex.min.css", KATEX / "katex.min.js", *(KATEX / "fonts").glob("*.woff2")]:
        added[f"assets/katex/{path.relative_to(KATEX)}"] = path
    for name, source in added.items():
        target = Path(staging.name) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        files.append(File(name, staging.name, config["site_dir"], config["use_directory_urls"]))
    for file in [file for file in files if file.src_path.endswith((".py", ".pyc")) or file.src_path.startswith("measurements/")]:
        files.remove(file)
    return files


def on_post_build(config):
    staging.cleanup()


def on_page_markdown(markdown, page, config, files):
    name = page.file.src_path
    return links(blocks(pictures(markdown)), outside=name in OUTSIDE)


def links(text, outside):
    """Links from the checkout's top to docs/, and from docs/ to the pages that lie there."""
    if outside:
        text = re.sub(r"(\]\()docs/", r"\1", text)
    for name, source in OUTSIDE.items():
        text = re.sub(rf"(\]\()(?:\.\./)?{re.escape(source)}(?=[)#])", rf"\1{name}", text)
    return text


def pictures(text):
    """A flow chart of Mermaid's as a picture by Graphviz."""
    return re.sub(r"```mermaid\n(.*?)```\n", lambda found: drawing(found[1]), text, flags=re.S)


def drawing(chart):
    lines = chart.strip().splitlines()
    if lines[0].strip() != "flowchart TD":
        raise ValueError(f"not a chart that is drawn here: {lines[0]!r}")
    dot = ['digraph { rankdir=TB; bgcolor=transparent; nodesep=0.3; ranksep=0.4; node [shape=box, style=rounded, fontname="sans-serif", '
           'fontsize=12, height=0.3, color=gray50, fontcolor=currentColor]; edge [color=gray50, arrowsize=0.6];']
    for line in lines[1:]:
        found = re.fullmatch(r"\s*(\w+)\[(\w+): ([^\]]+)\](?: --> (.+))?", line)
        if not found:
            raise ValueError(f"not a line that is drawn here: {line!r}")
        folder, label, words, to = found.groups()
        dot.append(f'{folder} [label=<<b>{label}</b><br/>{words}>];')
        dot += [f"{folder} -> {name};" for name in (to.split(" & ") if to else [])]
    svg = subprocess.run(["dot", "-Tsvg"], input="\n".join(dot + ["}"]), capture_output=True, text=True, check=True).stdout
    svg = re.sub(r"<!--.*?-->\s*", "", svg[svg.index("<svg"):], flags=re.S).replace("#currentcolor", "currentColor")
    return f'\n<div class="chart">\n{svg}</div>\n\n'


def blocks(text):
    """GitHub's lists, tables and code in Python-Markdown's way: an empty line around, and what belongs to an item four spaces in."""
    out, fence, shift, item, before = [], "", 0, False, ""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if fence:
            out.append(" " * shift + line if line.strip() else line)
            if line.strip() == fence:
                fence = ""
                out.append("")
            before = ""
            continue
        if item and line.strip() and indent == 0 and not ITEM.match(line) and not before.strip():
            item = False
        starts_item = ITEM.match(line)
        if starts_item and not starts_item[1] and not item:
            if before.strip():
                out.append("")
            item = True
        # Under "- " two, under "1. " three spaces are enough on GitHub.
        shift = 4 - indent if item and 0 < indent < 4 else 0
        if line.lstrip().startswith("|") and before.strip() and not before.lstrip().startswith("|"):
            out.append("")
        found = FENCE.match(line)
        if found:
            fence = found[2]
            if before.strip():
                out.append("")
        out.append(" " * shift + line)
        before = line
        if found:
            before = ""
    return "\n".join(out) + "\n"




def on_page_content(html, page, config, files):
    """Wide tables scroll by themselves."""
    return html.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
