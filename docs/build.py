#!/usr/bin/env python3
"""Builds the site: docs/build.py writes build/docs/html. Needs only what Debian 12 and 13 have:

    apt-get install g++ doxygen doxygen-awesome-css python3

The pages are docs/*.md, files of the root, and two that are made here: the gallery, whose pictures docs/gallery.cpp
draws, and the programs of examples/. Other pictures lie in the repository, beside the programs that drew them. The
reference is what Doxygen reads in include/.
Fails for each warning of Doxygen's, and for each link that leads nowhere.

The target xmask_docs of CMake does the same. Alone, CXX names the compiler and CXXFLAGS more options, as the folder of
xtensor. What `sh cmake/setup.sh deps` unpacked is found without.
"""

import html
import html.parser
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse

import reference

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "build", "docs")
STAGE = os.path.join(FOLDER, "pages")
HTML = os.path.join(FOLDER, "html")
GROUPS = os.path.join(FOLDER, "groups.txt")
STYLE = "/usr/share/doxygen-awesome-css"

# The pages, in the order of the navigation.
PAGES = (
    "docs/index.md docs/getting-started.md docs/guide.md docs/cookbook.md docs/masks.md "
    "docs/operations.md gallery.md docs/coming-from.md docs/semantics.md docs/compatibility.md docs/performance.md "
    "docs/examples.md docs/architecture.md CONTRIBUTING.md SECURITY.md CHANGELOG.md"
).split()

# Pages that name the functions of other libraries, too.
FOREIGN = ("docs/coming-from.md",)

# Files that repeat the version of include/xmask/version.hpp.
VERSIONED = (
    "CITATION.cff meson.build packaging/conan/conanfile.py packaging/vcpkg/vcpkg.json packaging/bazel/MODULE.bazel"
).split()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(command, **options):
    done = subprocess.run(command, cwd=ROOT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"docs/build.py: {command[0]} failed")
    return done


def slug(title):
    """The anchor that a heading has on a page of GitHub or GitLab."""
    return re.sub(r"[^\w -]", "", re.sub(r"`", "", title).strip().lower()).replace(" ", "-")


def name_of(page):
    return os.path.splitext(os.path.basename(page))[0].lower().replace("-", "_")


def outside_code(text, change):
    """Changes the text of a page outside of its blocks of code, whose language Doxygen calls cpp, not c++."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    return "".join(re.sub(r"^```c\+\+", "```cpp", part) if part.startswith("```") else change(part) for part in parts)


def with_bars(part):
    """Doxygen shows the backslash before a bar in the code of a table, but not in <code>."""

    def bars(match):
        code = html.escape(match.group(1).replace("\\|", "|")).replace("|", "\\|")
        return f"<code>{code}</code>"

    return re.sub(r"`([^`\n]*\\\|[^`\n]*)`", bars, part)


def with_names(part, links):
    """Code that begins with a public name leads to its page, outside of headings and links."""

    def call(match):
        code, name = match.groups()
        return f'<a href="{links[name]}"><code>{html.escape(code)}</code></a>' if name in links else match.group()

    def line(match):
        return re.sub(r"(?<!\[)`((?:xmask::)?(\w+)\b[^`\n]*)`", call, match.group())

    return re.sub(r"^[^#\n].*$", line, part, flags=re.M)


def with_pictures(part, folder):
    """Pictures lie in one folder."""

    def picture(match):
        label, target = match.groups()
        path = os.path.normpath(os.path.join(ROOT, folder, target))
        if os.path.exists(path):
            shutil.copy(path, os.path.join(FOLDER, "pictures"))
        return f"![{label}]({os.path.basename(target)})"

    return re.sub(r"!\[([^\]\n]*)\]\(([^)\s]+)\)", picture, part)


def staged(page, text, links):
    """A page as Doxygen reads it: headings have anchors, and links and public names lead to pages of the site."""
    name = name_of(page)
    folder = os.path.dirname(page)
    known = {os.path.normpath(p): name_of(p) for p in PAGES}
    known["docs/gallery.md"] = "gallery"

    def heading(match):
        marks, title = match.groups()
        anchor = f"page_{name}" if marks == "#" else f"{name}-{slug(title)}"
        return f"{marks} {title} {{#{anchor}}}"

    def link(match):
        label, target = match.groups()
        if re.match(r"[a-z]+:", target):
            return match.group()
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(folder, path)) if path else page
        if path in known:
            return f"[{label}](#{known[path]}-{anchor})" if anchor else f"[{label}](@ref page_{known[path]})"
        if path.startswith("examples/") and os.path.exists(os.path.join(ROOT, path)):
            return f"[{label}](#examples-{slug(os.path.basename(path))})"
        if os.path.exists(os.path.join(ROOT, path)):
            return label
        sys.exit(f"docs/build.py: {page}: the link to {target} leads nowhere")

    def change(part):
        part = with_pictures(with_names(with_bars(part), links), folder)
        part = re.sub(r"^(#{1,4}) (.*)$", heading, part, flags=re.M)
        return re.sub(r"(?<!!)\[([^\]\n]*)\]\(([^)\s]+)\)", link, part)

    chapters = text.count("\n## ")
    text = outside_code(text, change)
    return re.sub(r"^(# .*\n)", r"\1\n[TOC]\n", text, count=1) if chapters > 3 else text


def examples_page():
    """The list of examples, and the programs, each below its name."""
    text = read(os.path.join(ROOT, "docs", "examples.md"))
    for name in sorted(os.listdir(os.path.join(ROOT, "examples"))):
        if name.endswith((".cpp", ".hpp")):
            code = re.sub(r"\A// Copyright[^\n]*\n+", "", read(os.path.join(ROOT, "examples", name)))
            comment = re.match(r"(?://[^\n]*\n)*", code).group()
            prose = re.sub(r"^// ?", "", comment, flags=re.M)
            text += f"\n## {name}\n\n{prose}\n```cpp\n{code[len(comment):].strip()}\n```\n"
    return text


def gallery_page():
    """Runs docs/gallery.cpp, which draws the pictures and writes the page. CMake has compiled it to GALLERY."""
    pictures = os.path.join(FOLDER, "pictures")
    program = os.environ.get("GALLERY")
    if program is None:
        program = os.path.join(FOLDER, "gallery")
        flags = ["-std=c++20", "-O0", "-Iinclude", *shlex.split(os.environ.get("CXXFLAGS", ""))]
        flags += ["-isystem", os.path.join(ROOT, "build/deps/base/usr/include")]
        run([os.environ.get("CXX", "g++"), *flags, "docs/gallery.cpp", "-o", program])
    return run([program, pictures], stdout=subprocess.PIPE).stdout


def layout_of(text):
    """Doxygen's layout, where a page of the reference begins with what it is about."""
    text = re.sub(r'(<tab type="(?:modules|topics)" visible="yes" title=)""', r'\1"Reference"', text)
    text = re.sub(r'(<tab type="pages" visible="yes" title=)""', r'\1"Pages"', text)
    before, group, after = re.fullmatch(r"(.*)(<group>.*</group>)(.*)", text, flags=re.S).groups()
    group = group.replace('<briefdescription visible="yes"/>', '<detaileddescription title="Overview"/>')
    group = group.replace('<detaileddescription title=""/>', "")
    group = group.replace('<nestedgroups visible="yes" title=""/>', '<nestedgroups visible="yes" title="Pages"/>')
    group = group.replace('<variables title=""/>', '<variables title="Function objects"/>', 1)
    return before + group.replace('<variables title=""/>', '<variables title="Documentation"/>') + after


def options():
    header = os.path.join(FOLDER, "header.html")
    subprocess.run(["doxygen", "-w", "html", header, FOLDER + "/footer.html", FOLDER + "/style.css"], check=True)
    scripts = "".join(
        f'<script type="text/javascript" src="$relpath^doxygen-awesome-{name}.js"></script>\n'
        for name in ("darkmode-toggle", "fragment-copy-button", "paragraph-link")
    )
    start = (
        "<script type=\"text/javascript\">DoxygenAwesomeDarkModeToggle.init(); DoxygenAwesomeFragmentCopyButton.init(); "
        "DoxygenAwesomeParagraphLink.init()</script>\n"
    )
    write(header, read(header).replace("</head>", scripts + start + "</head>"))
    layout = os.path.join(FOLDER, "layout.xml")
    subprocess.run(["doxygen", "-l", layout], check=True)
    write(layout, layout_of(read(layout)))
    styles = [f"{STYLE}/doxygen-awesome{part}.css" for part in ("", "-sidebar-only", "-sidebar-only-darkmode-toggle")]
    files = [f"{STYLE}/doxygen-awesome-{name}.js" for name in ("darkmode-toggle", "fragment-copy-button", "paragraph-link")]
    version = read_version()
    text = read(os.path.join(ROOT, "docs", "Doxyfile"))
    text += f"""
PROJECT_NUMBER         = {version}
INPUT                  = {" ".join(os.path.join(STAGE, name_of(page) + ".md") for page in PAGES)} {STAGE}/reference.dox include/xmask
FILE_PATTERNS          = *.hpp *.md *.dox
INPUT_FILTER           =
FILTER_PATTERNS        = *.hpp="awk -f docs/filter.awk"
EXTRACT_ALL            = NO
HIDE_UNDOC_MEMBERS     = YES
HTML_INDEX_NUM_ENTRIES = 200
USE_MDFILE_AS_MAINPAGE = {STAGE}/index.md
IMAGE_PATH             = {FOLDER}/pictures
WARN_LOGFILE           = {FOLDER}/warnings.txt
TOC_INCLUDE_HEADINGS   = 3
GENERATE_TREEVIEW      = YES
DISABLE_INDEX          = NO
FULL_SIDEBAR           = NO
SEARCHENGINE           = YES
LAYOUT_FILE            = {layout}
HTML_HEADER            = {header}
HTML_EXTRA_STYLESHEET  = {" ".join(styles)} docs/site.css
HTML_EXTRA_FILES       = {" ".join(files)}
SHOW_USED_FILES        = NO
SOURCE_BROWSER         = YES
FILTER_SOURCE_FILES    = NO
ALIASES                = "in{{1}}=@ingroup \\1^^"
"""
    doxygen = tuple(int(part) for part in subprocess.check_output(["doxygen", "-v"], text=True).split()[0].split(".")[:3])
    if doxygen >= (1, 9, 5):
        text += "HTML_COLORSTYLE = LIGHT\n"  # doxygen-awesome-css has its own dark colours
    return text


def read_version():
    text = read(os.path.join(ROOT, "include", "xmask", "version.hpp"))
    return ".".join(re.findall(r"XMASK_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text)[:3])


class Links(html.parser.HTMLParser):
    """The links and anchors of a page."""

    def __init__(self):
        super().__init__()
        self.links, self.anchors = [], set()

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name in ("href", "src", "data") and value and tag in ("a", "img", "link", "script", "object"):
                self.links.append(value)


def dead_links():
    """(page, link) for each link to a missing file or anchor. Links to other sites are not followed."""
    pages = {}
    for name in os.listdir(HTML):
        if name.endswith(".html"):
            pages[name] = Links()
            pages[name].feed(read(os.path.join(HTML, name)))
    for name, page in sorted(pages.items()):
        for link in dict.fromkeys(page.links):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = urllib.parse.unquote(target) or name
            if not os.path.exists(os.path.join(HTML, target)):
                yield name, link
            elif anchor and target in pages and urllib.parse.unquote(anchor) not in pages[target].anchors:
                yield name, link


def lost_names(names):
    """The public names without a page, without the example on it, and those that search does not find."""
    folder = os.path.join(HTML, "search")
    found = "".join(read(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".js"))
    for name in names.values():
        page = name.page()
        path = os.path.join(HTML, page)
        if not os.path.exists(path) or page not in found or (name.is_called() and 'class="fragment"' not in read(path)):
            yield name.name


def main():
    if shutil.which("doxygen") is None or not os.path.isdir(STYLE):
        sys.exit("docs/build.py: apt-get install doxygen doxygen-awesome-css")
    for path in VERSIONED:
        if not re.search(rf"\bversion\W+{re.escape(read_version())}\W", read(os.path.join(ROOT, path))):
            sys.exit(f"docs/build.py: {path} has another version than {read_version()}")
    shutil.rmtree(HTML, ignore_errors=True)
    os.makedirs(STAGE, exist_ok=True)
    shutil.rmtree(os.path.join(FOLDER, "pictures"), ignore_errors=True)
    os.makedirs(os.path.join(FOLDER, "pictures"))
    made = {"gallery.md": gallery_page, "docs/examples.md": examples_page}
    text, places, names, links = reference.groups()
    write(os.path.join(STAGE, "reference.dox"), text)
    write(GROUPS, "".join(f"{path} {line} {label}\n" for path, line, label in places))
    for page in PAGES:
        text = made[page]() if page in made else read(os.path.join(ROOT, page))
        write(os.path.join(STAGE, name_of(page) + ".md"), staged(page, text, {} if page in FOREIGN else links))
    run(["doxygen", "-"], input=options(), env={**os.environ, "XMASK_GROUPS": GROUPS})
    # Doxygen does not see xtensor's templates, whose specialisations it finds.
    warnings = re.sub(r".*Internal inconsistency: scope for class xt::.*\n", "", read(os.path.join(FOLDER, "warnings.txt")))
    sys.stderr.write(warnings)
    faults = [f"{page}: the link to {link} leads nowhere" for page, link in dead_links()]
    faults += [f"the reference has no page of {name} with its example, or search does not find it" for name in lost_names(names)]
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    if warnings or faults:
        sys.exit(1)
    print(f"{HTML}/index.html")


if __name__ == "__main__":
    main()
