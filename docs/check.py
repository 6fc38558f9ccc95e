#!/usr/bin/env python3
"""Fails where a public name of xmask is not documented.

    docs/check.py           what each file lacks, and comments with words that plain English avoids (AVOIDED below)
    docs/check.py PATH...   the same for these files and folders
    docs/check.py --module  writes include/xmask/xmask.cppm, the module that exports all public names but those of layers

Doxygen reads include/ as docs/Doxyfile says, and writes XML. A name is public where it stands in xmask and not in
detail. What each kind of name has to have:

    class, alias, concept, value of an enum, field      a summary
    function, method, and each overload of one          a summary, @param for each named parameter, @tparam for each
                                                        template argument that a caller has to write, @returns
    function or function object outside of a class      an example too; of an operator, one overload has it
    function object (masked_mse)                        what a function has; its parameters are those of its operator()

What needs none: the protocols that xtensor or the concepts of xmask prescribe (PROTOCOL below), functions that are
deleted or defaulted, fields whose type is of detail, which only refuse a name, and overloads that only tell clang++ which
operands they refer to (XMASK_LIFETIMEBOUND). Fails, too, where the module does not export just the public names,
and where a command of README or of a page is in no test (docs/commands.py).
"""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml

import commands

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "build", "docs")
MODULE = os.path.join(ROOT, "include", "xmask", "xmask.cppm")

# xtensor's expressions and iterators, and the functions of a rule, a cursor, an operation and a loss: documented where
# the protocol is.
PROTOCOL = set(
    "shape element data_element stepper_begin stepper_end assign_to write_to sources op rows row run begin end size "
    "value derivative slope check operand operand_name terms rule_type value_type difference_type iterator_category band_type"
    .split()
)

# Name the thing in place of these.
AVOIDED = re.compile(r"\b(nobody|anybody|that which|of those|if at all|turned around|all but one|as ever)\b")


def run_doxygen():
    """Runs Doxygen, and gives the folder of its XML and its warnings."""
    if shutil.which("doxygen") is None:
        sys.exit("docs/check.py needs doxygen: apt-get install doxygen")
    with open(os.path.join(ROOT, "docs", "Doxyfile"), encoding="utf-8") as file:
        options = file.read()
    options += "\nGENERATE_HTML=NO\nGENERATE_XML=YES\nXML_PROGRAMLISTING=NO\n"
    # Doxygen leaves the files of names that are gone.
    shutil.rmtree(os.path.join(FOLDER, "xml"), ignore_errors=True)
    os.makedirs(FOLDER, exist_ok=True)
    done = subprocess.run(
        ["doxygen", "-"], input=options, cwd=ROOT, text=True, stderr=subprocess.PIPE, check=True
    )
    return os.path.join(FOLDER, "xml"), done.stderr.splitlines()


def text_of(node):
    return "" if node is None else "".join(node.itertext()).strip()


def blocks_of(node):
    """What a name's own comment documents: parameters, template parameters, whether a result, and an example."""
    comment = xml.Element("comment")
    comment.extend(node.findall("briefdescription") + node.findall("detaileddescription"))
    names = {"param": set(), "templateparam": set()}
    for kind, found in names.items():
        for parameters in comment.iterfind(f".//parameterlist[@kind='{kind}']"):
            found.update(text_of(name) for name in parameters.iterfind(".//parametername"))
    returns = comment.find(".//simplesect[@kind='return']") is not None
    example = any(comment.find(f".//{tag}") is not None for tag in ("verbatim", "programlisting", "preformatted"))
    return names["param"], names["templateparam"], returns, example


def template_names(node):
    """The names of the template parameters, with a default or not."""
    for parameter in node.iterfind("templateparamlist/param"):
        name = text_of(parameter.find("declname"))
        kind = text_of(parameter.find("type"))
        yield (name or kind.split()[-1].lstrip("."), parameter.find("defval") is not None)


def has_summary(node):
    return text_of(node.find("briefdescription")) != "" or text_of(node.find("detaileddescription")) != ""


def parameters_of(function, packs=True):
    return [
        text_of(p.find("declname"))
        for p in function.iterfind("param")
        if text_of(p.find("declname")) and (packs or not text_of(p.find("type")).endswith("..."))
    ]


class Check:
    def __init__(self, folder):
        self.lacks = {}  # path: [(line, name, what)]
        self.calls = {}  # class: the parameters of its operator(), but for packs, which may be empty
        compounds = []
        for file in sorted(os.listdir(folder)):
            if re.match(r"(class|struct|concept)xmask_1_1|namespacexmask\.xml", file):
                compounds.append(xml.parse(os.path.join(folder, file)).getroot().find("compounddef"))
        for compound in compounds:
            called = [
                name
                for member in compound.iter("memberdef")
                if member.findtext("name") == "operator()"
                for name in parameters_of(member, packs=False)
            ]
            self.calls[compound.findtext("compoundname")] = list(dict.fromkeys(called))
        self.operators = {}  # name: [(overload, whether it has an example)]
        self.seen = 0
        self.names = set()  # of the namespace, outside of layers
        for compound in compounds:
            if not compound.findtext("compoundname").endswith(("::iterator", "::terms")):
                self.compound(compound)
        for name, overloads in self.operators.items():
            self.require(overloads[0][0], name, any(example for _, example in overloads), "an example")

    def add(self, node, name, what):
        location = node.find("location")
        path = os.path.join("include", location.get("file"))  # docs/Doxyfile strips include/
        self.lacks.setdefault(path, []).append((int(location.get("line")), name, what))

    def add_name(self, node, name):
        if "::" not in name and "/layers/" not in node.find("location").get("file"):
            self.names.add(name)

    def names_lifetimes(self, function):
        """Whether a function is the overload above it, for named operands."""
        location = function.find("location")
        with open(os.path.join(ROOT, "include", location.get("file")), encoding="utf-8") as file:
            lines = file.read().splitlines()[int(location.get("line")) - 1 :]
        head = []
        for line in lines:
            head.append(line)
            if line.endswith("{"):
                break
        return any("XMASK_LIFETIMEBOUND" in line for line in head)

    def warnings(self, lines):
        """Adds Doxygen's own, but for those about its graphs and about xtensor's traits, which it does not read."""
        for line in lines:
            if "Internal inconsistency" in line or "graph" in line or "warning:" not in line:
                continue
            where, text = line.replace(ROOT + "/", "").split("warning:", 1)
            path, _, number = where.strip(" :").rpartition(":")
            self.lacks.setdefault(path, []).append((int(number or 0), "a comment", "sense: " + text.strip()))

    def require(self, node, name, right, what):
        if not right:
            self.add(node, name, what)

    def compound(self, node):
        scope = node.findtext("compoundname")
        kind = node.get("kind")
        if kind != "namespace":
            self.seen += 1
            self.add_name(node, scope.removeprefix("xmask::"))
            self.require(node, scope, has_summary(node), "a summary")
            if kind in ("class", "struct"):
                documented = blocks_of(node)[1]
                for name, _ in template_names(node):
                    self.require(node, scope, name in documented, f"@tparam {name}")
        for member in node.iter("memberdef"):
            if member.get("prot") not in ("private", "protected"):
                self.member(scope, kind, member)

    def member(self, scope, scope_kind, member):
        name = member.findtext("name")
        full = f"{scope}::{name}"
        kind = member.get("kind")
        arguments = text_of(member.find("argsstring"))
        free = scope_kind == "namespace"
        if free:
            self.add_name(member, name)
        if arguments.endswith(("=delete", "=default")) or (not free and name in PROTOCOL) or name.startswith("~"):
            return
        if not has_summary(member) and self.names_lifetimes(member):
            return
        if "->" in arguments and not text_of(member.find("type")):  # a deduction guide
            return
        self.seen += 1
        if kind == "function" and any(text_of(p.find("type")).startswith('"') for p in member.iterfind("param")):
            kind = "variable"  # `inline constexpr element_loss<mse_loss> masked_mse("masked_mse")`
        if kind == "function" or kind == "friend":
            self.function(full, member, free)
        elif kind == "variable":
            self.variable(full, member, free)
        else:
            self.require(member, full, has_summary(member), "a summary")
            for value in member.iterfind("enumvalue"):
                self.require(member, f"{full}::{value.findtext('name')}", has_summary(value), "a summary")

    def variable(self, full, member, free):
        type_name = re.sub(r"^(constexpr|const|inline) +", "", text_of(member.find("type")))
        if not free and type_name.startswith("detail::"):
            return
        self.require(member, full, has_summary(member), "a summary")
        called = self.calls.get("xmask::" + type_name.split("<")[0].strip())
        if free and (called or "::" in type_name.split("<")[0].replace("std::", "")):
            self.blocks(full, member, called or [], [], True, True)

    def function(self, full, member, free):
        self.require(member, full, has_summary(member), "a summary")
        result = text_of(member.find("type"))
        parameters = parameters_of(member)
        types = " ".join(text_of(p.find("type")) for p in member.iterfind("param"))
        written = [
            name
            for name, has_default in template_names(member)
            if not has_default and not re.search(rf"\b{re.escape(name)}\b", types)
        ]
        operator = re.search(r"operator *\W", full) is not None and "operator()" not in full
        gives = result not in ("", "void", "constexpr", "explicit") and (free or len(parameters) > 0) and not operator
        self.blocks(full, member, [] if operator else parameters, written, gives, free, operator and free)

    def blocks(self, full, member, parameters, templates, gives, free, operator=False):
        found, found_templates, returns, example = blocks_of(member)
        for name in parameters:
            self.require(member, full, name in found, f"@param {name}")
        for name in templates:
            self.require(member, full, name in found_templates, f"@tparam {name}")
        self.require(member, full, returns or not gives, "@returns")
        # One example serves all overloads of an operator.
        if operator:
            self.operators.setdefault(full, []).append((member, example))
        else:
            self.require(member, full, example or not free, "an example")


def avoided_words():
    """(path, line, word) for each comment with one of AVOIDED."""
    files = [".ci/run"]
    for folder in ("include", "tests", "bench", "examples", "cmake"):
        for top, _, names in os.walk(os.path.join(ROOT, folder)):
            files += [os.path.relpath(os.path.join(top, name), ROOT) for name in sorted(names)]
    for path in files:
        if not path.endswith((".hpp", ".cpp", ".cmake", ".txt", ".sh", ".in", "/run")):
            continue
        mark = "//" if path.endswith("pp") else "#"
        with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                _, found, comment = line.partition(mark)
                word = AVOIDED.search(comment) if found else None
                if word:
                    yield path, number, word.group()


def module_of(names):
    """The text of the module that exports these names."""
    with open(os.path.join(ROOT, "include", "xmask", "version.hpp"), encoding="utf-8") as file:
        copyright_line = file.readline()
    return (
        copyright_line
        + "\n// The experimental module: docs/check.py --module wrote it. docs/compatibility.md says who can import it.\n"
        + "\nmodule;\n\n#include <xmask/xmask.hpp>\n\nexport module xmask;\n\nexport namespace xmask {\n"
        + "".join(f"using xmask::{name};\n" for name in sorted(names))
        + "} // namespace xmask\n"
    )


def check_module(check):
    """Fails where the module is not up to date."""
    with open(MODULE, encoding="utf-8") as file:
        if file.read() != module_of(check.names):
            what = "the right list of names: docs/check.py --module writes it"
            check.lacks.setdefault(os.path.relpath(MODULE, ROOT), []).append((1, "the module", what))


def main(paths):
    folder, warnings = run_doxygen()
    check = Check(folder)
    if paths == ["--module"]:
        with open(MODULE, "w", encoding="utf-8") as file:
            file.write(module_of(check.names))
        return 0
    check_module(check)
    for path, line, word in avoided_words():
        check.lacks.setdefault(path, []).append((line, "a comment", f'plain words for "{word}"'))
    for path, line, what in commands.untested():
        check.lacks.setdefault(path, []).append((line, "a block of code", what))
    failures = 0
    check.warnings(warnings)
    for path, lacks in sorted(check.lacks.items()):
        if paths and not any((path + "/").startswith(p.rstrip("/") + "/") for p in paths):
            continue
        for line, name, what in sorted(lacks):
            print(f"{path}:{line}: {name} lacks {what}")
        failures += len(lacks)
    print(f"{check.seen} public names: {failures} undocumented parts")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main([p if p == "--module" else os.path.relpath(os.path.abspath(p), ROOT) for p in sys.argv[1:]]))
