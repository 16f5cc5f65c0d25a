#!/bin/sh
# papod logins against an LDAP directory: whoever can bind there with handle and password may log in.
# Put this where papod's user can run it, and start papod with
#
#   papod --auth-command "/usr/local/lib/papo/ldap.sh ldaps://ldap.example.org ou=people,dc=example,dc=org"
#
# or, in papod.env, PAPOD_AUTH_COMMAND=… without quotes. It needs ldapwhoami (Debian: ldap-utils). papod
# writes two lines to standard input; status 0 means that the password is right, 75 that it cannot be
# checked at the moment, any other that it is wrong. A handle has only letters, digits, ".", "_" and
# "-", so it needs no escaping in a DN.
read -r handle && IFS= read -r secret || exit 75
[ "$secret" ] || exit 1 # A bind without a password succeeds, as nobody.
printf %s "$secret" | ldapwhoami -x -H "$1" -D "uid=$handle,$2" -y /dev/stdin -o nettimeout=5 >/dev/null
case $? in
0) exit 0 ;;
49 | 32 | 34) exit 1 ;; # Wrong password; no such entry; no such name.
*) exit 75 ;;
esac
