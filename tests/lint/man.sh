#!/bin/bash
# The manual: mandoc finds nothing, and every command's page documents the options of its --help, letter and argument
# included, and no others.  The common options are those of zstore.1.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${ZSTORE:?the program}"
bad=0
for page in man/*.[15]; do
	mandoc -T lint -W warning "$page" || bad=1
done
/usr/bin/python3 - "$ZSTORE" <<'E' || bad=1
import glob, os, re, subprocess, sys
zstore, bad = sys.argv[1], 0

def complain(text):
    global bad
    bad = 1
    print(text)

def help_of(*words):
    """A help text, and its two tables, name -> (letter, argument): those of the command and the common ones."""
    text = subprocess.run([zstore, *words], capture_output=True, text=True, check=True).stdout
    tables, at = {"options:": {}, "common options:": {}}, {}
    for line in text.splitlines():
        if line in tables:
            at = tables[line]
        m = re.match(r"  (?:-(\w),|   ) --([\w-]+)(?: (\S+)|(\[=\S+\]))?  ", line + "  ")
        if m:
            at[m[2]] = (m[1], m[3] or m[4])
    return text, tables["options:"], tables["common options:"]

def page_of(path):
    """The same from a page's lines '.It Fl e , -exclude Ar PATTERN'; running text is not looked at."""
    options = {}
    for line in open(path, encoding="utf-8"):
        m = re.fullmatch(r"\.It Fl (?:(\w) , )?-([\w-]+)(?: Ar (\S+)| Ns Oo = Ns Ar (\S+) Oc)?", line.strip())
        if m:
            if m[2] in options:
                complain("%s: --%s twice" % (path, m[2]))
            options[m[2]] = (m[1], m[3] or (m[4] and "[=%s]" % m[4]))
        elif line.startswith(".It Fl"):
            complain("%s: cannot read %s" % (path, line.strip()))
    return options

def compare(path, have, want):
    for name in sorted(set(have) | set(want)):
        if have.get(name) != want.get(name):
            complain("%s: --%s is %s in the page, %s in the program" % (path, name, have.get(name), want.get(name)))

text, _, common = help_of("help")
if len(common) < 8:
    complain("zstore help shows only %s" % common)
compare("man/zstore.1", page_of("man/zstore.1"), common)
main_page = open("man/zstore.1", encoding="utf-8").read()
commands = re.findall(r"^  ([a-z]+) +\S", text.split("commands:")[1].split("\n\n")[0], re.M)
if len(commands) < 10:
    complain("zstore help lists only %s" % commands)
for c in commands:
    path = "man/zstore-%s.1" % c
    if not os.path.exists(path):
        complain("%s is missing" % path)
        continue
    _, own, also = help_of(c, "--help")
    compare(path, page_of(path), own)
    compare("common options of " + c, also, common)
    source = open(path, encoding="utf-8").read()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        if "\n.Sh %s\n" % section not in source:
            complain("%s: no section %s" % (path, section))
    if ".Xr zstore-%s 1" % c not in main_page:
        complain("man/zstore.1 does not refer to zstore-%s" % c)
# zstore.conf.5: the settings that the reader of the file knows, and no others
source = open("src/cli/config.c", encoding="utf-8").read()
want = set(re.findall(r'^    \{"([a-z-]+)", FORM_', source, re.M)) | set(re.findall(r'^static const struct conf_key \w+ = \{"([a-z-]+)"', source, re.M))
page = open("man/zstore.conf.5", encoding="utf-8").read()
have = re.findall(r"^\.It Cm ([a-z-]+) No = ", page, re.M)
# "name" is an option of every URL: the reader leaves it to the sources
for name in sorted((want | {"name"}) ^ set(have)):
    complain("zstore.conf.5: %s is %s" % (name, "no setting" if name in have else "missing"))
if len(want) < 25 or len(have) != len(set(have)):
    complain("zstore.conf.5: %d settings in the program, %d in the page" % (len(want), len(have)))
build = open("man/meson.build").read()
if "'zstore.conf.5'" not in build:
    complain("man/meson.build does not install zstore.conf.5")
for path in sorted(glob.glob("man/*.1")):
    c = re.fullmatch(r"man/zstore(?:-(\w+))?\.1", path)
    if not c or (c[1] and c[1] not in commands):
        complain("%s belongs to no command" % path)
    elif ("'%s'" % (c[1] or "zstore.1")) not in build:
        complain("man/meson.build does not install %s" % path)
sys.exit(bad)
E
exit $bad
