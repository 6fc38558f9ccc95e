"""The groups of the reference: a page for each public name, below one for each header, below one for each folder.

docs/build.py writes them for Doxygen, and docs/filter.awk puts the names into them.
"""

import os
import re
import xml.etree.ElementTree as xml

import check

ROOT = check.ROOT

FOLDERS = {
    "masks": ("Masks", "What makes masks, combines them, asks them, draws them and stores them."),
    "apply": ("Applying masks", "Fill, multiply, replace, select, scatter and pack what a mask keeps or drops."),
    "reduce": ("Reductions, softmax and losses", "Numbers from what a mask keeps, and their gradients."),
    "layers": ("Layers", "A linear layer and attention. They need a BLAS."),
    "core": ("Inside", "The operators of masks, and what rules, cursors and losses of your own are made of."),
}

# Headers that are not called after their words.
TITLES = {"svg": "SVG", "mse": "Squared error", "n_of_m": "n of m", "runs": "Runs", "ask": "Questions", "word": "Words"}

# What the signs of an operator are called in the address of its page.
SIGNS = {"!": "not", "&": "and", "|": "or", "^": "xor", "=": "is", "~": "tilde", "<": "less"}


def label_of(name):
    """A name as the label of a group: operator&& is operator_and_and."""
    return re.sub(r"[^\w]", lambda sign: f"_{SIGNS[sign.group()]}", name)


def header_of(path):
    """The label of the group of a header: masks/lengths.hpp is in masks_lengths."""
    return "header_" + re.sub(r"^xmask/|\.hpp$", "", path).replace("/", "_")


def source(path):
    with open(os.path.join(ROOT, "include", path), encoding="utf-8") as file:
        return file.read()


def comment_before(lines, number):
    """The line on which the comment of the declaration on line `number` begins."""
    first = number - 1
    while first > 0 and lines[first - 1].strip() and not re.match(r" *(///|.*[;}]$)", lines[first - 1]):
        first -= 1  # the head of a template
    while first > 0 and lines[first - 1].lstrip().startswith("///"):
        first -= 1
    return first + 1


def example_names():
    """The text of the struct whose members are the names of all examples."""
    path = os.path.join(ROOT, "tests", "documentation", "examples.hpp")
    with open(path, encoding="utf-8") as file:
        return re.search(r"^struct names \{\n(.*?)^    // std::cout", file.read(), flags=re.M | re.S).group(1)


def uses_names(member):
    """Whether an example of this declaration uses a name without declaring it."""
    place = member.find("location")
    lines = source(place.get("file")).splitlines()
    number = int(place.get("line"))
    comment = lines[comment_before(lines, number) - 1 : number]
    example = "\n".join(line[8:] for line in comment if line.startswith("///     "))
    code = re.sub(r"//.*", "", example)
    known = re.findall(r"[>\w] (\w+)(?: = |;)", example_names())
    declared = re.findall(r"[>\w&] (\w+)(?: = |;|\{|\()", code) + re.findall(r"[(,] ?auto (\w+)", code)
    used = set(re.findall(r"(?<![.\w:])\w+\b(?!\()", code))
    return bool(used & set(known) - set(declared))


def escaped(text):
    return re.sub(r"([&<>|@\\#])", r"@\1", text)


class Name:
    """A public name that is no class: its declarations, and what its page says above them."""

    def __init__(self, name):
        self.name = name
        self.label = label_of(name)
        self.members = []
        self.calls = []  # of a function object, in the class of its type

    def headers(self):
        return list(dict.fromkeys(member.find("location").get("file") for member in self.members))

    def page(self):
        return f"group__{self.label.replace('_', '__')}.html"

    def is_called(self):
        return self.members[0].get("kind") == "function" or bool(self.calls)

    def arguments(self, call):
        """The names of a call's arguments. A pack stands for those that only the function object itself documents."""
        plain = [name for each in self.calls for name, pack in arguments_of(each) if not pack]
        own = [check.text_of(name) for name in self.members[0].iterfind(".//parameterlist[@kind='param']//parametername")]
        for name, pack in arguments_of(call):
            yield from [each for each in own if each not in plain] if pack else [name]

    def group(self):
        """The group's definition."""
        brief = check.text_of(self.members[0].find("briefdescription"))
        text = f"/** @defgroup {self.label} {self.name}\n"
        text += f"@ingroup {' '.join(map(header_of, self.headers()))}\n@brief {escaped(brief)}\n\n"
        text += " ".join(f"`#include <{path}>`" for path in self.headers()) + "\n\n"
        if any(uses_names(member) for member in self.members):
            text += "Names that an example does not declare are @ref example_names \"those of all examples\".\n\n"
        text += "| call | does |\n|---|---|\n" if self.calls else ""
        for call in self.calls:
            function = self.name + call.findtext("name").replace("operator()", "").replace("each", ".each")
            link = f'<a href="{page_of(call)}">{function}({", ".join(self.arguments(call))})</a>'
            text += f"| {link} | {escaped(check.text_of(call.find('briefdescription')))} |\n"
        return text + "*/\n"


def arguments_of(call):
    """(name, whether it is a pack) for each parameter that has a name."""
    for parameter in call.iterfind("param"):
        if check.text_of(parameter.find("declname")):
            yield check.text_of(parameter.find("declname")), "..." in check.text_of(parameter.find("type"))


def type_of(variable):
    """The class of a function object."""
    name = re.sub(r"^(constexpr|const|inline) +", "", check.text_of(variable.find("type")))
    return "xmask::" + name.split("<")[0].strip()


def base_of(node):
    return check.text_of(node).split("<")[0].strip()


def page_of(member):
    """The address of a member of a class in the HTML."""
    page, _, anchor = member.get("id").rpartition("_1")
    return f"{page}.html#{anchor}"


def read_names():
    """The public names that are no class, from Doxygen's XML, and the pages of all."""
    folder, _ = check.run_doxygen()
    names, calls, pages, bases = {}, {}, {}, {}
    for file in sorted(os.listdir(folder)):
        if re.match(r"(class|struct|concept)xmask_1_1|namespacexmask\.xml", file):
            compound = xml.parse(os.path.join(folder, file)).getroot().find("compounddef")
            scope = re.sub(r"^xmask::|<.*", "", compound.findtext("compoundname")).strip()
            if compound.get("kind") != "namespace":
                pages[scope] = compound.get("id") + ".html"
            bases[compound.findtext("compoundname")] = [base_of(node) for node in compound.iter("basecompoundref")]
            for member in compound.iter("memberdef"):
                name = member.findtext("name")
                if not check.has_summary(member) or member.get("prot") != "public":
                    continue
                if compound.get("kind") == "namespace":
                    names.setdefault(name, Name(name)).members.append(member)
                elif name in ("operator()", "each"):
                    calls.setdefault(compound.findtext("compoundname"), []).append(member)
    for name in names.values():
        if name.members[0].get("kind") == "variable":
            of_type = type_of(name.members[0])
            name.calls = [call for scope in (of_type, *bases.get(of_type, [])) for call in calls.get(scope, [])]
    return names, {**pages, **{name.name: name.page() for name in names.values()}}


def headers():
    """(path, its comment) for each header with public names."""
    detail = r"^namespace (xmask::inline XMASK_ABI::)?detail \{.*?^\} // namespace (?:\1)?detail$"
    for folder in FOLDERS:
        for file in sorted(os.listdir(os.path.join(ROOT, "include", "xmask", folder))):
            path = f"xmask/{folder}/{file}"
            code = source(path) if file.endswith(".hpp") else ""
            begin = code.find("\nnamespace xmask::inline XMASK_ABI {") + 1
            public = re.sub(detail, "", code[begin:], flags=re.M | re.S) if begin else ""
            if re.search(r"^///", public, flags=re.M):
                about = re.search(r"^/// @file\n((?:///.*\n)+)", code, flags=re.M)
                yield path, re.sub(r"^/// ?", "", about.group(1) if about else "", flags=re.M)


def groups():
    """The definitions of all groups, and what docs/filter.awk reads: a header, a line of it, and the group that the
    comment on this line belongs to. Line 0 stands for the whole header."""
    text, places = "", []
    for folder, (title, about) in FOLDERS.items():
        text += f"/** @defgroup {folder} {title}\n@brief {about} */\n"
    for path, about in headers():
        _, folder, file = path.split("/")
        title = TITLES.get(file[:-4], file[:-4].replace("_", " ").capitalize())
        text += f"/** @defgroup {header_of(path)} {title}\n@ingroup {folder}\n@brief {about}\n`#include <{path}>` */\n"
        places.append((path, 0, header_of(path)))
    text += "/** @defgroup example_names Names of the examples\n@brief What the examples use without declaring it.\n\n"
    text += "Three texts, padded to four tokens, and tensors of this shape:\n@code{.cpp}\n" + example_names() + "@endcode */\n"
    names, pages = read_names()
    for name in names.values():
        text += name.group()
        for member in name.members:
            place = member.find("location")
            lines = source(place.get("file")).splitlines()
            places.append((place.get("file"), comment_before(lines, int(place.get("line"))), name.label))
    return text, places, names, pages
