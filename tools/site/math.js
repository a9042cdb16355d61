// Every formula of the page, and those of headings in the table of contents; a wrong one is shown in red.
document.addEventListener("DOMContentLoaded", () => {
  const render = (source, element, displayMode) => katex.render(source, element, {displayMode, throwOnError: false, strict: false});
  for (const element of document.querySelectorAll(".arithmatex")) {
    const source = element.textContent.trim();
    render(source.slice(2, -2), element, source.startsWith("\\["));
  }
  for (const link of document.querySelectorAll(".md-nav__link")) {
    if (link.children.length || !link.textContent.includes("\\(")) continue;
    const parts = link.textContent.trim().split(/\\\((.*?)\\\)/);
    link.textContent = "";
    parts.forEach((part, index) => {
      const span = document.createElement("span");
      if (index % 2) render(part, span, false); else span.textContent = part;
      link.append(span);
    });
  }
});
