complete -c papod -l listen -d 'Address to listen on, HOST:PORT; may be given again, and port 0 takes a free one [default: 127.0.0.1:7276, unless systemd passes sockets on]' -r
complete -c papod -l tls-listen -d 'Address to speak TLS on, HOST:PORT (port 7277 by custom); may be given again' -r
complete -c papod -l tls-cert -d 'Chain of certificates for TLS, the server\'s own first, PEM; loaded again on SIGHUP' -r -F
complete -c papod -l tls-key -d 'Its private key, PEM' -r -F
complete -c papod -l reload -d 'Have the papod with this process id load its certificate again, if the one named here is good and within its dates, and end; status 1 and a reason otherwise' -r
complete -c papod -l unix -d 'Unix socket to listen on; may be given again' -r -F
complete -c papod -l unix-mode -d 'Mode of the Unix sockets: who may connect' -r
complete -c papod -l admin -d 'Unix socket for operators, mode 0600' -r -F
complete -c papod -l proxy-from -d 'Network whose connections begin with a PROXY v2 header, ADDRESS/BITS; may be given again' -r
complete -c papod -l registration -d 'open or closed: whether REG makes accounts, or only ADMIN USER NEW does' -r -f -a "open\t'Everyone, by `REG`'
closed\t'Operators alone'"
complete -c papod -l auth-command -d 'Program that checks passwords in place of papod: it reads the handle and the password, one per line, on standard input, and exits with 0 if they are right. A path and arguments, split at blanks; no shell' -r
complete -c papod -l limit-connections -d 'Total connections' -r
complete -c papod -l limit-login -d 'Seconds in which a connection has to log in' -r
complete -c papod -l limit-unconfirmed -d 'Commands of one session that may be unconfirmed; it is not read from meanwhile' -r
complete -c papod -l limit-waiting -d 'Bytes that may wait for one session; beyond them it is served from the disk' -r
complete -c papod -l limit-secrets -d 'Passwords that may wait to be hashed' -r
complete -c papod -l limit-address -d 'Connections per address; 0 is unlimited, here and below' -r
complete -c papod -l limit-sessions -d 'Sessions of one account' -r
complete -c papod -l limit-registrations -d 'New accounts from one address in an hour' -r
complete -c papod -l limit-messages -d 'Messages of one account in a second, on average' -r
complete -c papod -l limit-commands -d 'Other changes by one account in a second, on average; costly ones count as several' -r
complete -c papod -l limit-groups -d 'New groups of one account in a day' -r
complete -c papod -l limit-bytes -d 'Bytes of messages of one account in a day' -r
complete -c papod -l db -d 'Database file [default: papo/papo.db in the user\'s data folder]' -r -F
complete -c papod -l restore -d 'Put the backup FILE in the place of the database, keep what was there under another name, and end; no papod may be using it' -r -F
complete -c papod -l env-file -d 'Read variables from FILE first, a NAME=VALUE each line, as systemd does; a line that systemd would ignore, and a variable that there is not, are errors' -r -F
complete -c papod -l password-cost -d 'Memory and passes of Argon2id for new passwords' -r
complete -c papod -l metrics -d 'Serve Prometheus metrics at http://HOST:PORT/metrics, without authentication' -r
complete -c papod -l keepalive -d 'Probe a TCP client that has been silent for this long, and end its session after twice as long; 0 never does' -r
complete -c papod -l idle -d 'Disconnect a logged-in client after SECONDS without input' -r
complete -c papod -l keep -d 'Delete entries older than DAYS; 0 keeps everything' -r
complete -c papod -l limit-db -d 'Maximum size of the database file in MiB; writes fail beyond it. 0 is unlimited' -r
complete -c papod -l log -d 'How much is logged: error, warn, info or debug' -r
complete -c papod -l plain-anywhere -d 'Let --listen name addresses other than loopback, where passwords cross the network readable'
complete -c papod -l limit-local -d 'Let the limits of addresses and accounts also apply to loopback and Unix sockets'
complete -c papod -l check -d 'Look at all settings and through the database, start nothing, say what is there and what is wrong, and end'
complete -c papod -s h -l help -d 'Print help (see more with \'--help\')'
complete -c papod -s V -l version -d 'Print version'
