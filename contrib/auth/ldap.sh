#!/bin/sh
# papod's log-ins against a directory: who can bind there with handle and password is let in. Put this
# where papod's user can read it, say in it where the directory is, and start papod with
#
#   papod --auth-command "/usr/local/lib/papo/ldap.sh ldaps://ldap.example.org ou=people,dc=example,dc=org"
#
# or, in papod.env, PAPOD_AUTH_COMMAND=… without quotes. It needs ldapwhoami (Debian: ldap-utils).
# papod gives two lines of standard input; 0 lets in, 75 says that nobody can tell now, any other
# status is a wrong password. A handle has letters, digits, ".", "_" and "-" only, so none needs
# escaping in a name of the directory.
read -r handle && IFS= read -r secret || exit 75
[ "$secret" ] || exit 1 # A bind without a password succeeds, as nobody.
printf %s "$secret" | ldapwhoami -x -H "$1" -D "uid=$handle,$2" -y /dev/stdin -o nettimeout=5 >/dev/null
case $? in
0) exit 0 ;;
49 | 32 | 34) exit 1 ;; # Wrong password; no such entry; no such name.
*) exit 75 ;;
esac
