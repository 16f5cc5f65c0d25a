complete -c papod -l listen -d 'Plaintext address to listen on; repeatable, and port 0 takes a free one [default: 127.0.0.1:7276, unless systemd passes sockets]' -r
complete -c papod -l tls-listen -d 'TLS address to listen on (port 7277 is customary); repeatable' -r
complete -c papod -l http -d 'Plaintext address to serve HTTP on, for programs that notify or are notified as by ntfy (port 7278 is customary); repeatable. Like --listen it takes only loopback unless --plain-anywhere is given' -r
complete -c papod -l https -d 'Address to serve HTTPS on, with the certificate of --tls-cert (ports 443 or 7279 are customary); repeatable' -r
complete -c papod -l http-keepalive -d 'Send an HTTP stream a keepalive, and a WebSocket a Ping, each SECONDS [default: 55 and 180]' -r
complete -c papod -l tls-cert -d 'Certificate chain for TLS, PEM, the server\'s own certificate first; SIGHUP loads it again' -r -F
complete -c papod -l tls-key -d 'Its private key, PEM' -r -F
complete -c papod -l reload -d 'Tell the papod with this process id to load its certificate again, if the one named here is good and within its dates, and exit; status 1 and a reason otherwise' -r
complete -c papod -l unix -d 'Unix socket to listen on; repeatable' -r -F
complete -c papod -l unix-mode -d 'Mode of the Unix sockets, which says who may connect' -r
complete -c papod -l admin -d 'Unix socket for operators, mode 0600' -r -F
complete -c papod -l proxy-from -d 'Network whose connections begin with a PROXY v2 header, ADDRESS/BITS; repeatable' -r
complete -c papod -l registration -d 'open, invite or closed: whether REG creates accounts for everyone, for whoever has an invitation by ADMIN INVITE, or for nobody, so that only ADMIN USER NEW does' -r -f -a "open\t'Everyone, by `REG`'
invite\t'Whoever has an invitation, by `REG`'
closed\t'Operators alone'"
complete -c papod -l auth-command -d 'Program that checks passwords instead of papod: it reads the handle and the password, one per line, on standard input, and exits with 0 if they are right. A path and arguments, split at blanks; no shell' -r
complete -c papod -l limit-connections -d 'Total connections' -r
complete -c papod -l limit-login -d 'Seconds that a connection has to log in' -r
complete -c papod -l limit-unconfirmed -d 'Unconfirmed commands per session; beyond that it is not read until some are confirmed' -r
complete -c papod -l limit-waiting -d 'Bytes waiting for a session; beyond that it is served from disk' -r
complete -c papod -l limit-secrets -d 'Passwords waiting to be hashed' -r
complete -c papod -l limit-address -d 'Connections per address; 0 is unlimited, here and below' -r
complete -c papod -l limit-sessions -d 'Sessions per account' -r
complete -c papod -l limit-registrations -d 'New accounts per address in an hour' -r
complete -c papod -l limit-messages -d 'Messages per account in a second, on average' -r
complete -c papod -l limit-commands -d 'Other changes per account in a second, on average; costly ones count as several' -r
complete -c papod -l limit-groups -d 'New groups per account in a day' -r
complete -c papod -l limit-file -d 'Bytes in a file' -r
complete -c papod -l limit-files-day -d 'Bytes of files per account in a day' -r
complete -c papod -l limit-files -d 'Bytes of all files together' -r
complete -c papod -l limit-bytes -d 'Bytes of messages per account in a day' -r
complete -c papod -l db -d 'Database file, or postgres://USER@HOST/DATABASE if papod was built with PostgreSQL [default: papo/papo.db in the user\'s data folder]' -r -F
complete -c papod -l node -d 'Where other papods on the same PostgreSQL database reach this one [default: the address by which it reaches the database, a free port]' -r
complete -c papod -l standby -d 'Whether PostgreSQL has to wait for a synchronous standby' -r -f -a "required\t'Papod does not start then, and refuses to write'
warn\t'It warns'
trust\t'It says nothing, as for a service that copies what is written in another way'"
complete -c papod -l files -d 'Folder for the contents of files, which no other database may use [default: the database\'s name with -files]' -r -F
complete -c papod -l restore -d 'Put the backup FILE in the place of the database, keep the old one under another name, and exit; no papod may be using it' -r -F
complete -c papod -l import -d 'Fill the new PostgreSQL database that --db names with what is in the database file FILE, which no papod may be using, and exit' -r -F
complete -c papod -l env-file -d 'Read variables from FILE first, one NAME=VALUE per line, as systemd does; but a line that systemd would ignore, or an unknown variable, is an error' -r -F
complete -c papod -l password-cost -d 'Memory and passes of Argon2id for new passwords' -r
complete -c papod -l metrics -d 'Serve Prometheus metrics at http://HOST:PORT/metrics, without authentication' -r
complete -c papod -l keepalive -d 'Probe a TCP client that has been silent for this long, and end its session after twice as long if it has vanished; 0 never does' -r
complete -c papod -l idle -d 'Disconnect a logged-in client after SECONDS without input' -r
complete -c papod -l keep -d 'Delete entries older than DAYS; 0 keeps everything' -r
complete -c papod -l keep-files -d 'Delete the contents of files after DAYS, and keep the messages; 0 keeps them as long as these' -r
complete -c papod -l amend -d 'Let authors edit and delete a message for SECONDS after it was sent; 0 sets no limit' -r
complete -c papod -l seen -d 'To whom FIND shows when a new account is online: all, chats (those to whom it has written) or none' -r
complete -c papod -l limit-db -d 'Maximum size of the database file in MiB; beyond it writes fail. 0 is unlimited' -r
complete -c papod -l log -d 'Log level: error, warn, info or debug' -r
complete -c papod -l plain-anywhere -d 'Let --listen and --http name other addresses than loopback; passwords and messages then cross the network readable'
complete -c papod -l limit-local -d 'Apply the limits per address and per account to loopback and Unix sockets too'
complete -c papod -l check -d 'Check all settings and the database, print what is there and what is wrong, start nothing, and exit'
complete -c papod -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papod -s V -l version -d 'Print version'
