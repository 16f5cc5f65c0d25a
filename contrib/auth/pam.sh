#!/bin/sh
# papod logins through PAM, with the passwords of this machine's users for example. Start papod with
#
#   papod --auth-command "/usr/local/lib/papo/pam.sh papo"
#
# where /etc/pam.d/papo says how; in the simplest case it is `auth required pam_unix.so` and `account
# required pam_unix.so`. It needs pamtester (Debian: pamtester). pam_unix reads /etc/shadow through a
# set-gid program, which the sandbox of papod.service forbids (NoNewPrivileges=yes); pam_ldap, sssd and
# the like work inside the sandbox.
read -r handle && IFS= read -r secret || exit 75
command -v pamtester >/dev/null || exit 75
printf '%s\n' "$secret" | pamtester "$1" "$handle" authenticate acct_mgmt >/dev/null 2>&1 || exit 1
