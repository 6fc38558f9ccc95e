# What Doxygen reads in place of a header. The inline namespace, which tells builds of different flags apart, is cut
# out: users write xmask::name. Function objects are variables, not functions with a string for a parameter. A line
# that goes on after `@param` loses its indentation, behind which Doxygen would not see an example.

# The site has a group for each header and for each name. XMASK_GROUPS names the file that docs/reference.py wrote: a
# header, a line of it, on which a comment begins, and its group; line 0 stands for the header.
BEGIN {
  path = ARGV[1]
  sub(/.*include\//, "", path)
  while (ENVIRON["XMASK_GROUPS"] && (getline line < ENVIRON["XMASK_GROUPS"]) > 0) {
    split(line, part, " ")
    if (part[1] == path) {
      group[part[2]] = part[3]
    }
  }
}

(0 in group) && /^namespace xmask::inline XMASK_ABI \{/ {
  # On one line, so that Doxygen counts the lines of the header.
  print "namespace xmask { /** @addtogroup " group[0] " */ /** @{ */"
  open = 1
  next
}

open && /^\} \/\/ namespace xmask::inline XMASK_ABI$/ { print "/** @} */ }"; open = 0; next }

FNR in group { sub(/\/\/\//, "/** @ingroup " group[FNR] " */ ///") }

{ gsub(/::inline XMASK_ABI/, "") }

/^inline constexpr .*\("[a-z0-9_]+"\);$/ { sub(/\("[a-z0-9_]+"\)/, "") }

# The same, broken into several lines.
/^inline constexpr .*\(("[a-z0-9_]+")?$/ { sub(/\(("[a-z0-9_]+")?$/, ";"); print; broken = 1; next }

broken { broken = !/^\);$/; print ""; next }

!/^ *\/\/\// { code = 0 }

/^ *\/\/\/ *$/ { code = 1 }

/^ *\/\/\/ +[^ ]/ {
  if (!code || $0 !~ /^ *\/\/\/     /) {
    code = 0
    sub(/\/\/\/ +/, "/// ")
  }
}

{ print }
