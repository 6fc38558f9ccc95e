# Reads the apt sources of the machine, and writes them for another release: same mirror, same keys, same options.
# setup.sh gives from, to, types and components. Reads both forms, one-line and deb822.

FNR == 1 || /^[ \t]*$/ { end_of_stanza() }
/^[ \t]*(#|$)/ { next }

# deb [signed-by=...] URI release component...
$1 == "deb" {
    options = ""
    if (match($0, /\[[^]]*\]/)) {
        options = substr($0, RSTART + 1, RLENGTH - 2)
        sub(/\[[^]]*\]/, "")
    }
    if (is_own($3) && /[ \t]main([ \t]|$)/)
        for (i = split(types, type); i > 0; --i)
            print type[i] " [" options " target=" (type[i] == "deb" ? "Packages" : "Sources") "] " $2 " " to " " components
    next
}
$1 == "deb-src" { next }

# Field: values, over any number of lines
/^[^ \t]/ {
    field = tolower($1)
    sub(/:.*/, "", field)
}
{
    values = $0
    sub(/^[^ \t:]*:/, "", values)
    if (field == "types" && (" " values " ") ~ /[ \t]deb[ \t]/) binary = 1
    if (field == "enabled" && values ~ /no|false/) disabled = 1
    if (field == "components" && (" " values " ") ~ /[ \t]main[ \t]/) in_main = 1
    if (field == "suites") {
        for (i = split(values, suite); i > 0; --i)
            if (is_own(suite[i])) own = 1
    }
    if (field !~ /^(types|suites|components|targets|enabled)$/) kept = kept $0 "\n"
}
END { end_of_stanza() }

function is_own(release) { return release == from || release == "stable" || release == "oldstable" }

function end_of_stanza() {
    if (binary && in_main && own && !disabled)
        print "Types: " types "\nSuites: " to "\nComponents: " components "\nTargets: Packages Sources\n" kept
    binary = in_main = own = disabled = 0
    kept = field = ""
}
