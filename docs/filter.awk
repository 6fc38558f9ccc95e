# What Doxygen reads in place of a header. The inline namespace, which tells builds of different flags apart, is cut
# out: users write xmask::name. Function objects are variables, not functions with a string for a parameter. A line
# that goes on after `@param` loses its indentation, behind which Doxygen would not see an example.

# The site has a group for each header with public names: docs/build.py lists them.
ENVIRON["XMASK_GROUPS"] && /^namespace xmask::inline XMASK_ABI \{/ {
  group = FILENAME
  sub(/.*include\/xmask\//, "", group)
  sub(/\.hpp$/, "", group)
  sub(/\//, "_", group)
  if (index(ENVIRON["XMASK_GROUPS"], " " group " ")) {
    print "namespace xmask { /** @addtogroup " group "\n@{ */"
    open = 1
    next
  }
}

open && /^\} \/\/ namespace xmask::inline XMASK_ABI$/ { print "/** @} */ }"; open = 0; next }

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
